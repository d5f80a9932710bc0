/**
 * Terms that rules of CELLxGENE's schema 7.1.0 speak of, with their descendants as of the ontologies that it pins. Few enough to be listed;
 * whole ontologies are not.
 */

const efo = (...numbers: string[]): string[] => numbers.map((number) => `EFO:${number}`);
const taxa = (...numbers: number[]): string[] => numbers.map((number) => `NCBITaxon:${number}`);

/** What `suspension_type` must be, by assay. */
export const suspensions: { assays: string[]; values: string[]; says: string }[] = [
  {
    assays: [
      ...efo(
        "0008722",
        "0008780",
        "0008930",
        "0008931",
        "0009899",
        "0009900",
        "0009901",
        "0009919",
        "0009922",
      ),
      ...efo(
        "0010010",
        "0010022",
        "0010058",
        "0010184",
        "0011025",
        "0022488",
        "0022490",
        "0022600",
        "0022601",
      ),
      ...efo(
        "0022602",
        "0022603",
        "0022604",
        "0022605",
        "0022839",
        "0022980",
        "0030003",
        "0030004",
        "0030028",
      ),
      ...efo("0030060", "0030074", "0030080", "0700010", "0700011", "0700016"),
    ],
    values: ["cell", "nucleus"],
    says: "cell or nucleus, which this assay works on",
  },
  {
    assays: [
      ...efo(
        "0002761",
        "0007045",
        "0008720",
        "0008736",
        "0008904",
        "0008925",
        "0010891",
        "0022045",
        "0022492",
      ),
      ...efo("0022962", "0030007", "0030026", "0030027", "0030059"),
    ],
    values: ["nucleus"],
    says: "nucleus, which this assay works on",
  },
  {
    assays: [
      ...efo(
        "0008679",
        "0008796",
        "0008853",
        "0008877",
        "0008919",
        "0008953",
        "0022845",
        "0022846",
        "0030002",
      ),
      ...efo("0030019", "0700003", "0700004"),
    ],
    values: ["cell"],
    says: "cell, which this assay works on",
  },
  {
    assays: [
      ...efo(
        "0008989",
        "0008990",
        "0008992",
        "0008994",
        "0009920",
        "0010961",
        "0022857",
        "0022858",
        "0022859",
      ),
      ...efo(
        "0022860",
        "0022955",
        "0030005",
        "0030029",
        "0030062",
        "0700006",
        "0700007",
        "0700008",
        "0920001",
      ),
      ...efo("0920002", "0920003", "0920058"),
    ],
    values: ["na"],
    says: "na: this assay works on tissue",
  },
];

/** ATAC-seq, Methyl-seq, methylation profiling, snmC-seq: there is nothing to count… */
export const countless: string[] = efo(
  ...["0000751", "0002759", "0002761", "0007045", "0008736", "0008804", "0008904", "0008925", "0008939"],
  ...["0010891", "0022045", "0022492", "0030007", "0030027", "0022962", "0030059"],
);

/** …except in those that sequence RNA as well. */
export const multiomes: string[] = efo("0022962", "0030059");

export const organisms = {
  human: taxa(9606),
  mouse: taxa(
    ...[
      10090, 10091, 10092, 116058, 1266728, 1385377, 1643390, 179238, 1879032, 3109569, 35531, 39442, 46456,
    ],
    ...[477815, 477816, 57486, 80274, 947985],
  ),
  fly: taxa(7227),
  zebrafish: taxa(7955),
  worm: taxa(6239),
  crabEatingMacaque: taxa(9541, 1215360, 1747270, 90386),
  rabbit: taxa(9986, 230741, 568996),
  marmoset: taxa(9483),
  gorilla: taxa(9595),
  rhesusMacaque: taxa(9544, 1449913, 1654737, 2008792),
  chimpanzee: taxa(9598, 1294088, 37010, 37011, 37012, 756884),
  pig: taxa(
    ...[
      9823, 1170810, 1611878, 1611879, 1611880, 2485929, 291050, 309913, 309914, 310260, 310261, 375578,
      375579,
    ],
    ...[415978, 490583, 9825],
  ),
  mouseLemur: taxa(30608),
  rat: taxa(10116, 947987),
} as const satisfies Record<string, string[]>;

/** How stable gene ids begin, and what follows. ERCC spike-ins and genes of SARS-CoV-2 go with every organism. */
export const geneIds: Record<keyof typeof organisms, string> = {
  human: "ENSG\\d{11}",
  mouse: "ENSMUSG\\d{11}",
  fly: "(FBgn|FBti)\\d{7}|FBtr\\d{7}_df_nrg|RR\\d+_transposable_element",
  zebrafish: "ENSDARG\\d{11}",
  worm: "WBGene\\d{8}",
  crabEatingMacaque: "ENSMFAG\\d{11}",
  rabbit: "ENSOCUG\\d{11}",
  marmoset: "ENSCJAG\\d{11}",
  gorilla: "ENSGGOG\\d{11}",
  rhesusMacaque: "ENSMMUG\\d{11}",
  chimpanzee: "ENSPTRG\\d{11}",
  pig: "ENSSSCG\\d{11}",
  mouseLemur: "ENSMICG\\d{11}",
  rat: "ENSRNOG\\d{11}",
};

export const alwaysTaken = "ERCC-\\d{5}|ENSSASG\\d{11}";
