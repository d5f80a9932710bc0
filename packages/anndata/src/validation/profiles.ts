import type { ColumnRule, ValidationProfile } from "./types.ts";

/** A column of one ontology term per cell: text, mostly categorical. */
const term = (name: string, pattern: string, says: string, more: Partial<ColumnRule> = {}): ColumnRule => ({
  name,
  kinds: ["categorical", "string"],
  pattern,
  says,
  ...more,
});

const text = (name: string, more: Partial<ColumnRule> = {}): ColumnRule => ({
  name,
  kinds: ["categorical", "string"],
  pattern: "\\S",
  says: "text that is not empty",
  ...more,
});

/** Stable gene ids without version, of the organisms that CELLxGENE takes, and ERCC spike-ins. */
const geneIds = {
  pattern: "^(ENS[A-Z]{0,6}G\\d{11}|ERCC-\\d{5}|FBgn\\d{7}|WBGene\\d{8})$",
  says: "Ensembl stable ids without version (ENSG00000141510), FlyBase or WormBase genes, or ERCC spike-ins",
};

/** The file can be read, its parts fit together, its names are unique. */
const minimal: ValidationProfile = {
  name: "minimal",
  description: "The file can be read, its parts fit together, and its names are unique.",
};

const counts: ValidationProfile = {
  name: "counts",
  description: "As minimal, and X holds raw counts.",
  counts: { where: "X" },
};

const rawCounts: ValidationProfile = {
  name: "raw_counts",
  description: "As minimal, and raw.X holds raw counts.",
  counts: { where: "raw/X" },
};

const cellxgeneObs: ColumnRule[] = [
  term("assay_ontology_term_id", "^EFO:\\d{7}$", "an EFO term, for example EFO:0009899"),
  term(
    "cell_type_ontology_term_id",
    "^(CL|ZFA|FBbt|WBbt):\\d{7,8}$",
    "a Cell Ontology term (CL:0000084), a term of ZFA, FBbt or WBbt, unknown, or na for cell lines",
    { values: ["unknown", "na"] },
  ),
  term(
    "development_stage_ontology_term_id",
    "^(HsapDv|MmusDv|UBERON|WBls|ZFS|FBdv):\\d{7,8}$",
    "a development-stage term (HsapDv:0000003, MmusDv, WBls, ZFS, FBdv, UBERON), unknown, or na",
    { values: ["unknown", "na"] },
  ),
  term(
    "disease_ontology_term_id",
    "^MONDO:\\d{7}$",
    'PATO:0000461 for healthy, or MONDO terms, ascending, joined by " || "',
    { values: ["PATO:0000461"], separator: " || " },
  ),
  text("donor_id"),
  { name: "is_primary_data", kinds: ["boolean"], says: "true or false" },
  term(
    "self_reported_ethnicity_ontology_term_id",
    "^(HANCESTRO|AfPO|AFPO):\\d{4,7}$",
    'HANCESTRO or AfPO terms, ascending, joined by " || ", unknown, or na where the organism is not human',
    { values: ["unknown", "na", "multiethnic"], separator: " || " },
  ),
  term(
    "sex_ontology_term_id",
    "^PATO:(0000383|0000384|0001340)$",
    "PATO:0000383, PATO:0000384, PATO:0001340, unknown, or na",
    {
      values: ["unknown", "na"],
    },
  ),
  term("suspension_type", "^(cell|nucleus|na)$", "cell, nucleus or na"),
  term(
    "tissue_ontology_term_id",
    "^((UBERON|CL|ZFA|FBbt|WBbt):\\d{7,8}|CVCL_[A-Z0-9]+)$",
    "an UBERON term, for cell culture a CL term or Cellosaurus id (CVCL_0030), or a term of ZFA, FBbt or WBbt",
  ),
  term(
    "tissue_type",
    "^(tissue|organoid|cell line|primary cell culture)$",
    "tissue, organoid, cell line or primary cell culture",
  ),
  text("genetic_perturbation_id", { required: false }),
  text("genetic_perturbation_strategy", { required: false }),
];

/** The rules of schema 7.1.0 that can be told from the file alone; whether a term exists is for the ontologies to say. */
const cellxgene71: ValidationProfile = {
  name: "cellxgene-7.1",
  description: "What curators must deliver under the CELLxGENE schema 7.1.0, as far as the file alone tells.",
  counts: { where: "raw or X", noEmptyCells: true, noEqualCells: true, dtype: "float32" },
  sparseAboveZeros: 0.5,
  obs: {
    columns: cellxgeneObs,
    forbidden: [
      {
        name: "organism_ontology_term_id",
        says: "it belongs to uns since schema 6.0: one organism per dataset",
      },
    ],
  },
  var: {
    index: geneIds,
    columns: [{ name: "feature_is_filtered", kinds: ["boolean"], says: "true or false" }],
  },
  rawVar: {
    index: geneIds,
    forbidden: [{ name: "feature_is_filtered", says: "it belongs to var" }],
  },
  uns: [
    { key: "title", pattern: "\\S", says: "the title of the dataset" },
    {
      key: "organism_ontology_term_id",
      pattern: "^NCBITaxon:\\d+$",
      says: "an NCBITaxon term, for example NCBITaxon:9606",
    },
    { key: "default_embedding", required: false, pattern: "\\S", says: "the key of an embedding in obsm" },
  ],
  obsm: { atLeastOne: "X_", minColumns: 2 },
};

const described = (name: string): ColumnRule[] => [text(`${name}_ontology_term_id`), text(name)];

/** What the warehouse of Cell Annotation Service (CAS) ingests: one row per cell with these columns, none of them missing. */
const cas: ValidationProfile = {
  name: "cas",
  description:
    "What a Cell Annotation Service warehouse ingests: raw counts, the CELLxGENE columns with their labels, gene descriptions.",
  counts: { where: "raw or X" },
  obs: {
    columns: [
      ...[
        "assay",
        "cell_type",
        "development_stage",
        "disease",
        "organism",
        "self_reported_ethnicity",
        "sex",
        "tissue",
      ].flatMap(described),
      text("donor_id"),
      text("suspension_type"),
      { name: "is_primary_data", kinds: ["boolean"], says: "true or false" },
    ],
  },
  var: {
    index: geneIds,
    columns: [
      text("feature_name"),
      text("feature_biotype"),
      { name: "feature_is_filtered", kinds: ["boolean"], says: "true or false" },
      text("feature_reference"),
    ],
  },
};

/** The profiles that come with the package, by name. */
export const validationProfiles: ReadonlyMap<string, ValidationProfile> = new Map(
  [minimal, counts, rawCounts, cellxgene71, cas].map((profile) => [profile.name, profile]),
);

/** A profile that also asks for every feature to be in one of the lists, for example one GENCODE release and the ERCC spike-ins. */
export function withGeneLists(
  profile: ValidationProfile,
  lists: readonly { name: string; ids: string[] }[],
): ValidationProfile {
  return lists.length === 0 ? profile : { ...profile, geneLists: [...(profile.geneLists ?? []), ...lists] };
}
