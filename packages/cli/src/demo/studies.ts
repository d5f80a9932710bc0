import type { Ontology } from "@cytomesh/ontology";
import { DEMO_CELL_TYPES } from "./cell-types.ts";
import type { CellDraw } from "./counts.ts";
import { drawCounts, rowTotal } from "./counts.ts";
import { demoOntology } from "./demo-ontology.ts";
import type { ExpressionModel } from "./expression.ts";
import { addAmbient, DEFAULT_MODEL, geneEffects, normalize, typeProfiles } from "./expression.ts";
import type { DemoGene } from "./genes.ts";
import { demoGenes } from "./genes.ts";
import type { Random } from "./random.ts";
import { createRandom } from "./random.ts";
import type { StudyDesign } from "./study-designs.ts";
import { QUERY_DESIGN, studyDesign } from "./study-designs.ts";
import type { CsrRows, Table } from "./table.ts";
import { categorical, constant } from "./table.ts";

/** How large the demo is. */
export interface DemoSizes {
  /** Reference studies. */
  studies: number;
  cellsPerStudy: number;
  /** Cells of the unseen donor. */
  queryCells: number;
  /** Genes of the universe; a study measures about nine in ten of them. */
  genes: number;
}

/** Quick: about 6,600 cells by 3,000 genes. */
export const DEFAULT_SIZES: DemoSizes = { studies: 4, cellsPerStudy: 1500, queryCells: 600, genes: 3000 };

/** One AnnData file to be. */
export interface Study {
  /** File name without its ending, e.g. `demo-study-1`. */
  name: string;
  /** Query studies have no cell-type columns in obs. */
  role: "reference" | "query";
  /** How the file stores the counts; `raw`: counts in raw.X, log-normalised values in X. */
  layout: StudyDesign["layout"];
  /** Raw counts. */
  x: CsrRows;
  obs: Table;
  /** Index: Ensembl ids, or symbols with the ids in the column `gene_ids`. */
  var: Table;
  uns: { title: string; organism_ontology_term_id: string; demo: string };
  /** The term each cell was drawn from, however its study annotates it. */
  truth: string[];
}

/**
 * Makes the reference studies and, last, the query study of an unseen donor, all as plain arrays. The same seed and
 * sizes give the same studies; a study does not depend on how many others there are.
 *
 * @throws RangeError for sizes out of range (at least 1 study, 1 cell each, as many genes as there are markers).
 */
export function generateStudies(
  seed: number,
  sizes: Partial<DemoSizes> = {},
  model: ExpressionModel = DEFAULT_MODEL,
): Study[] {
  const { studies, cellsPerStudy, queryCells, genes: geneCount } = { ...DEFAULT_SIZES, ...sizes };
  checkSizes({ studies, cellsPerStudy, queryCells, genes: geneCount });
  const { ontology } = demoOntology();
  const genes = demoGenes(geneCount, createRandom(seed, "genes"));
  const profiles = typeProfiles(genes, DEMO_CELL_TYPES, ontology, model, createRandom(seed, "programs"));
  const world = {
    seed,
    genes,
    ontology,
    model,
    profiles: addAmbient(profiles, DEMO_CELL_TYPES, model.ambient),
  };
  const references = Array.from({ length: studies }, (_, n) =>
    makeStudy(world, studyDesign(n), cellsPerStudy),
  );
  return [...references, makeStudy(world, QUERY_DESIGN, queryCells)];
}

function checkSizes(sizes: DemoSizes): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1 || size > 1_000_000) {
      throw new RangeError(`Demo size ${name}: expected a whole number from 1 to 1,000,000, found ${size}.`);
    }
  }
}

interface World {
  seed: number;
  genes: readonly DemoGene[];
  ontology: Ontology;
  model: ExpressionModel;
  profiles: readonly Float64Array[];
}

function makeStudy(world: World, design: StudyDesign, nCells: number): Study {
  const random = createRandom(world.seed, design.name);
  const measured = measuredGenes(world.genes, random);
  const genes = measured.map((g) => world.genes[g]!);
  const batch = geneEffects(genes.length, world.model.batchSd, random);
  const donors = design.donors.map(() => geneEffects(genes.length, world.model.donorSd, random));
  const mixtures = design.donors.map(() =>
    DEMO_CELL_TYPES.map((type) => type.abundance * Math.exp(0.35 * random.normal())),
  );
  const rates = donors.map((donor) =>
    world.profiles.map((profile) =>
      normalize(Float64Array.from(measured, (g, c) => profile[g]! * batch[c]! * donor[c]!)),
    ),
  );
  const donorOf = Array.from({ length: nCells }, () => random.int(donors.length));
  const typeOf = donorOf.map((donor) => random.choice(mixtures[donor]!));
  const draws: CellDraw[] = donorOf.map((donor, cell) => ({
    rates: rates[donor]![typeOf[cell]!]!,
    librarySize: design.depth * DEMO_CELL_TYPES[typeOf[cell]!]!.size * Math.exp(0.35 * random.normal()),
  }));
  const x = drawCounts(
    draws,
    Float64Array.from(genes, (gene) => gene.dispersion),
    random,
  );
  const truth = typeOf.map((type) => DEMO_CELL_TYPES[type]!.termId);
  return {
    name: design.name,
    role: design.role,
    layout: design.layout,
    x,
    obs: makeObs(world.ontology, design, donorOf, typeOf, x, random),
    var: makeVar(genes, design),
    uns: {
      title: design.title,
      organism_ontology_term_id: "NCBITaxon:9606",
      demo: "simulated by cytomesh demo",
    },
    truth,
  };
}

/** Every study measures all housekeeping genes, most others, and in its own order. */
function measuredGenes(genes: readonly DemoGene[], random: Random): number[] {
  const kept = genes.flatMap((gene, g) => {
    const share = gene.kind === "background" ? 0.9 : 0.97;
    return random.uniform() < share || gene.kind === "housekeeping" ? [g] : [];
  });
  return random.shuffle(kept);
}

function makeObs(
  ontology: Ontology,
  design: StudyDesign,
  donorOf: readonly number[],
  typeOf: readonly number[],
  x: CsrRows,
  random: Random,
): Table {
  const rows = donorOf.length;
  const perDonor = (pick: (donor: StudyDesign["donors"][number]) => string) =>
    categorical(donorOf.map((donor) => pick(design.donors[donor]!)));
  const annotated = typeOf.map((type) => {
    const { termId, coarseTermId } = DEMO_CELL_TYPES[type]!;
    return ontology.indexOf(design.labels === "coarse" ? coarseTermId : termId);
  });
  return {
    index: barcodes(rows, random),
    columns: {
      donor_id: perDonor((donor) => donor.id),
      sex: perDonor((donor) => donor.sex),
      sex_ontology_term_id: perDonor((donor) => (donor.sex === "female" ? "PATO:0000383" : "PATO:0000384")),
      disease: perDonor((donor) => donor.disease.label),
      disease_ontology_term_id: perDonor((donor) => donor.disease.id),
      assay: constant(design.assay.label, rows),
      assay_ontology_term_id: constant(design.assay.id, rows),
      tissue: constant(design.tissue.label, rows),
      tissue_ontology_term_id: constant(design.tissue.id, rows),
      tissue_type: constant("tissue", rows),
      suspension_type: constant("cell", rows),
      development_stage: constant("unknown", rows),
      development_stage_ontology_term_id: constant("unknown", rows),
      self_reported_ethnicity: constant("unknown", rows),
      self_reported_ethnicity_ontology_term_id: constant("unknown", rows),
      is_primary_data: { kind: "boolean", values: new Uint8Array(rows).fill(1) },
      n_counts: {
        kind: "number",
        dtype: "float32",
        values: Float32Array.from(donorOf, (_, row) => rowTotal(x, row)),
      },
      ...(design.role === "query"
        ? {}
        : {
            cell_type: categorical(annotated.map((term) => ontology.label(term))),
            cell_type_ontology_term_id: categorical(annotated.map((term) => ontology.termIds[term]!)),
          }),
    },
  };
}

/** Distinct 16-base barcodes with the ending Cell Ranger gives them. */
function barcodes(count: number, random: Random): string[] {
  const seen = new Set<string>();
  while (seen.size < count) {
    let bits = random.uint32();
    let barcode = "";
    for (let base = 0; base < 16; base++, bits >>>= 2) barcode += "ACGT"[bits & 3];
    seen.add(`${barcode}-1`);
  }
  return [...seen];
}

function makeVar(genes: readonly DemoGene[], design: StudyDesign): Table {
  const ids = genes.map((gene) => gene.id);
  const symbols = genes.map((gene) => gene.symbol);
  const shared: Table["columns"] = {
    feature_biotype: constant("gene", genes.length),
    feature_is_filtered: { kind: "boolean", values: new Uint8Array(genes.length) },
  };
  return design.featureIds === "column"
    ? { index: symbols, columns: { gene_ids: { kind: "string", values: ids }, ...shared } }
    : { index: ids, columns: { feature_name: { kind: "string", values: symbols }, ...shared } };
}
