import type { Random } from "./random.ts";

/** A gene of the demo's universe. */
export interface DemoGene {
  /** Ensembl gene id without version. Made-up genes have ids from ENSG00000900001 on, a block Ensembl does not use. */
  readonly id: string;
  /** Gene symbol; `DEMO…` for made-up genes. */
  readonly symbol: string;
  readonly kind: "housekeeping" | "marker" | "background";
  /** Natural log of the gene's relative expression where nothing raises it. */
  readonly logBase: number;
  /** Negative-binomial dispersion φ: variance = mean + φ · mean². */
  readonly dispersion: number;
}

/** Real genes: symbol → Ensembl id (release 114). */
const REAL_GENES: Record<string, string> = {
  MALAT1: "ENSG00000251562",
  B2M: "ENSG00000166710",
  ACTB: "ENSG00000075624",
  GAPDH: "ENSG00000111640",
  TMSB4X: "ENSG00000205542",
  EEF1A1: "ENSG00000156508",
  FTL: "ENSG00000087086",
  FTH1: "ENSG00000167996",
  RPLP0: "ENSG00000089157",
  RPL3: "ENSG00000100316",
  RPL10: "ENSG00000147403",
  RPL13: "ENSG00000167526",
  RPS3: "ENSG00000149273",
  RPS6: "ENSG00000137154",
  RPS27: "ENSG00000177954",
  RPS18: "ENSG00000231500",
  "MT-CO1": "ENSG00000198804",
  "MT-CO2": "ENSG00000198712",
  "MT-CO3": "ENSG00000198938",
  "MT-ND1": "ENSG00000198888",
  "MT-ND2": "ENSG00000198763",
  "MT-ND4": "ENSG00000198886",
  "MT-ATP6": "ENSG00000198899",
  "MT-CYB": "ENSG00000198727",
  PTPRC: "ENSG00000081237",
  CORO1A: "ENSG00000102879",
  LAPTM5: "ENSG00000162511",
  CD3D: "ENSG00000167286",
  CD3E: "ENSG00000198851",
  CD3G: "ENSG00000160654",
  TRAC: "ENSG00000277734",
  CD2: "ENSG00000116824",
  CD247: "ENSG00000198821",
  CD4: "ENSG00000010610",
  CD8A: "ENSG00000153563",
  CD8B: "ENSG00000172116",
  CCR7: "ENSG00000126353",
  SELL: "ENSG00000188404",
  LEF1: "ENSG00000138795",
  TCF7: "ENSG00000081059",
  MAL: "ENSG00000172005",
  S100A4: "ENSG00000196154",
  ANXA1: "ENSG00000135046",
  LTB: "ENSG00000227507",
  IL7R: "ENSG00000168685",
  AQP3: "ENSG00000165272",
  GPR183: "ENSG00000169508",
  CCL5: "ENSG00000271503",
  GZMK: "ENSG00000113088",
  GZMH: "ENSG00000100450",
  NKG7: "ENSG00000105374",
  CST7: "ENSG00000077984",
  KLRG1: "ENSG00000139187",
  FOXP3: "ENSG00000049768",
  IL2RA: "ENSG00000134460",
  CTLA4: "ENSG00000163599",
  TIGIT: "ENSG00000181847",
  IKZF2: "ENSG00000030419",
  RTKN2: "ENSG00000182010",
  GNLY: "ENSG00000115523",
  KLRD1: "ENSG00000134539",
  KLRF1: "ENSG00000150045",
  NCAM1: "ENSG00000149294",
  FCGR3A: "ENSG00000203747",
  PRF1: "ENSG00000180644",
  GZMB: "ENSG00000100453",
  SPON2: "ENSG00000159674",
  TYROBP: "ENSG00000011600",
  FCER1G: "ENSG00000158869",
  CD79A: "ENSG00000105369",
  CD79B: "ENSG00000007312",
  MS4A1: "ENSG00000156738",
  CD19: "ENSG00000177455",
  BANK1: "ENSG00000153064",
  CD74: "ENSG00000019582",
  "HLA-DRA": "ENSG00000204287",
  "HLA-DPA1": "ENSG00000231389",
  "HLA-DPB1": "ENSG00000223865",
  TCL1A: "ENSG00000100721",
  FCER2: "ENSG00000104921",
  IGHD: "ENSG00000211898",
  IL4R: "ENSG00000077238",
  CD27: "ENSG00000139193",
  AIM2: "ENSG00000163568",
  TNFRSF13B: "ENSG00000240505",
  COCH: "ENSG00000100473",
  JCHAIN: "ENSG00000132465",
  MZB1: "ENSG00000170476",
  XBP1: "ENSG00000100219",
  SDC1: "ENSG00000115884",
  TNFRSF17: "ENSG00000048462",
  DERL3: "ENSG00000099958",
  PRDM1: "ENSG00000057657",
  IGHG1: "ENSG00000211896",
  IGHA1: "ENSG00000211895",
  IGKC: "ENSG00000211592",
  LYZ: "ENSG00000090382",
  S100A9: "ENSG00000163220",
  CTSS: "ENSG00000163131",
  CST3: "ENSG00000101439",
  FCN1: "ENSG00000085265",
  AIF1: "ENSG00000204472",
  LST1: "ENSG00000204482",
  S100A8: "ENSG00000143546",
  CD14: "ENSG00000170458",
  VCAN: "ENSG00000038427",
  MS4A7: "ENSG00000166927",
  CDKN1C: "ENSG00000129757",
  LILRB2: "ENSG00000131042",
  CX3CR1: "ENSG00000168329",
  RHOC: "ENSG00000155366",
  TCF4: "ENSG00000196628",
  FCER1A: "ENSG00000179639",
  CD1C: "ENSG00000158481",
  CLEC10A: "ENSG00000132514",
  "HLA-DQA1": "ENSG00000196735",
  ITGAX: "ENSG00000140678",
  LILRA4: "ENSG00000239961",
  CLEC4C: "ENSG00000198178",
  IL3RA: "ENSG00000185291",
  IRF7: "ENSG00000185507",
  PPBP: "ENSG00000163736",
  PF4: "ENSG00000163737",
  GP9: "ENSG00000169704",
  ITGA2B: "ENSG00000005961",
  TUBB1: "ENSG00000101162",
  GNG11: "ENSG00000127920",
};

/** Expressed in every cell: ribosomal, mitochondrial and the usual suspects. */
const HOUSEKEEPING =
  "MALAT1 B2M ACTB GAPDH TMSB4X EEF1A1 FTL FTH1 RPLP0 RPL3 RPL10 RPL13 RPS3 RPS6 RPS27 RPS18 MT-CO1 MT-CO2 MT-CO3 MT-ND1 MT-ND2 MT-ND4 MT-ATP6 MT-CYB";

/** Ontology term → genes that every cell type at or below it expresses. */
export const MARKERS: Readonly<Record<string, readonly string[]>> = {
  "CL:0000738": ["PTPRC", "CORO1A", "LAPTM5"],
  "CL:0000084": ["CD3D", "CD3E", "CD3G", "TRAC", "CD2", "CD247"],
  "CL:0000624": ["CD4"],
  "CL:0000625": ["CD8A", "CD8B"],
  "CL:0000898": ["CCR7", "SELL", "LEF1", "TCF7", "MAL"],
  "CL:0000813": ["S100A4", "ANXA1", "LTB"],
  "CL:0000897": ["IL7R", "AQP3", "GPR183"],
  "CL:0000913": ["CCL5", "GZMK", "GZMH", "NKG7", "CST7", "KLRG1"],
  "CL:0000815": ["FOXP3", "IL2RA", "CTLA4", "TIGIT", "IKZF2", "RTKN2", "CD4"],
  "CL:0000623": [
    "NKG7",
    "GNLY",
    "KLRD1",
    "KLRF1",
    "NCAM1",
    "FCGR3A",
    "PRF1",
    "GZMB",
    "SPON2",
    "TYROBP",
    "FCER1G",
    "CST7",
  ],
  "CL:0000945": ["CD79A", "CD79B"],
  "CL:0000236": ["MS4A1", "CD19", "BANK1", "CD74", "HLA-DRA", "HLA-DPA1", "HLA-DPB1"],
  "CL:0000788": ["TCL1A", "FCER2", "IGHD", "IL4R"],
  "CL:0000787": ["CD27", "AIM2", "TNFRSF13B", "COCH"],
  "CL:0000786": [
    "JCHAIN",
    "MZB1",
    "XBP1",
    "SDC1",
    "TNFRSF17",
    "DERL3",
    "PRDM1",
    "IGHG1",
    "IGHA1",
    "IGKC",
    "CD27",
  ],
  "CL:0000576": ["LYZ", "S100A9", "CTSS", "CST3", "FCN1", "AIF1", "LST1", "TYROBP", "FCER1G"],
  "CL:0000860": ["S100A8", "CD14", "VCAN"],
  "CL:0000875": ["FCGR3A", "MS4A7", "CDKN1C", "LILRB2", "CX3CR1", "RHOC"],
  "CL:0000451": ["CD74", "HLA-DRA", "HLA-DPA1", "HLA-DPB1", "TCF4"],
  "CL:0000990": ["FCER1A", "CD1C", "CLEC10A", "HLA-DQA1", "ITGAX", "CST3", "LYZ"],
  "CL:0000784": ["LILRA4", "CLEC4C", "IL3RA", "GZMB", "IRF7", "JCHAIN", "MZB1"],
  "CL:0000233": ["PPBP", "PF4", "GP9", "ITGA2B", "TUBB1", "GNG11"],
};

/** Terms that differ from their siblings only faintly, as naive, memory, CD4 and CD8 cells do. */
export const FAINT_TERMS: ReadonlySet<string> = new Set([
  "CL:0000624",
  "CL:0000625",
  "CL:0000898",
  "CL:0000813",
  "CL:0000897",
  "CL:0000788",
  "CL:0000787",
]);

/**
 * The gene universe of a demo, `count` genes: real housekeeping and marker genes first, then made-up ones. Expression
 * levels and dispersions are drawn; the ids depend on `count` only.
 */
export function demoGenes(count: number, random: Random): DemoGene[] {
  const housekeeping = new Set(HOUSEKEEPING.split(" "));
  const genes: DemoGene[] = Object.entries(REAL_GENES).map(([symbol, id]) => {
    const common = housekeeping.has(symbol);
    return {
      id,
      symbol,
      kind: common ? "housekeeping" : "marker",
      logBase: common ? 3.2 + 0.6 * random.normal() : -3 + 0.4 * random.normal(),
      dispersion: drawDispersion(random, common ? 0.12 : 0.5),
    };
  });
  if (count < genes.length)
    throw new RangeError(`A demo needs at least ${genes.length} genes, not ${count}.`);
  for (let n = 1; genes.length < count; n++) {
    genes.push({
      id: `ENSG00000${900000 + n}`,
      symbol: `DEMO${n}`,
      kind: "background",
      logBase: -2 + 1.6 * random.normal(),
      dispersion: drawDispersion(random, 0.35),
    });
  }
  return genes;
}

function drawDispersion(random: Random, median: number): number {
  return median * Math.exp(0.4 * random.normal());
}
