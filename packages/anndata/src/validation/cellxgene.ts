import { columns, organism } from "./cellxgene-obs.ts";
import { alwaysTaken, countless, geneIds, multiomes, organisms } from "./cellxgene-terms.ts";
import type { Forbidden, FrameRule, UnsRule, ValidationProfile } from "./types.ts";

/**
 * CELLxGENE's schema 7.1.0 as data, as far as a file alone tells: whether a term exists and where it stands in its ontology is for the
 * ontologies to say, and whether a gene is known for lists of genes. Source: https://github.com/chanzuckerberg/single-cell-curation, and CZI's
 * `cellxgene-schema` 7.1.2, which `test/interop/cellxgene.test.ts` compares with.
 */

const forbid = (says: string, ...names: string[]): Forbidden[] => names.map((name) => ({ name, says }));

/** What CELLxGENE Discover adds when it publishes a file. */
const labels = {
  obs: [
    "assay",
    "cell_type",
    "development_stage",
    "disease",
    "self_reported_ethnicity",
    "sex",
    "tissue",
    "observation_joinid",
  ],
  var: ["feature_name", "feature_reference", "feature_biotype", "feature_length", "feature_type"],
  uns: ["schema_version", "schema_reference", "citation", "organism"],
};
const added = "it is added when the file is published";

const obsForbidden = [
  ...forbid(
    "it belongs to uns since schema 6.0: one organism per dataset",
    "organism_ontology_term_id",
    "organism",
  ),
  ...forbid(
    "it was replaced by self_reported_ethnicity_ontology_term_id",
    "ethnicity",
    "ethnicity_ontology_term_id",
  ),
];
const unsForbidden = forbid(
  "it was dropped from the schema",
  ...[
    "X_normalization",
    "default_field",
    "layer_descriptions",
    "tags",
    "version",
    "contributors",
    "preprint_doi",
  ],
  ...["project_description", "project_links", "project_name", "publication_doi"],
);

/** Ensembl and kindred ids without version, of the organism that uns names. */
const index: NonNullable<FrameRule["index"]> = {
  pattern: `^(${[...Object.values(geneIds), alwaysTaken].join("|")})$`,
  says: "Ensembl stable ids without version (ENSG00000141510), FlyBase or WormBase genes, ERCC spike-ins, of an organism that is taken",
  cases: (Object.keys(organisms) as (keyof typeof organisms)[]).map((name) => ({
    when: [organism(organisms[name])],
    pattern: `^(${geneIds[name]}|${alwaysTaken})$`,
    says: "genes of the organism that uns names",
  })),
};

const uns: UnsRule[] = [
  {
    key: "title",
    pattern: "^\\S+( \\S+)*$",
    says: "the title of the dataset, without blanks around it or in a row",
  },
  {
    key: "organism_ontology_term_id",
    values: Object.values(organisms).flat(),
    says: "the NCBITaxon term of an organism that is taken, for example NCBITaxon:9606",
  },
  {
    key: "default_embedding",
    required: false,
    refersTo: "obsm",
    says: "the key of an embedding in obsm",
  },
  {
    key: "batch_condition",
    required: false,
    list: true,
    refersTo: "obs",
    says: "a list of columns of obs",
  },
  {
    key: "X_approximate_distribution",
    required: false,
    values: ["count", "normal"],
    says: "count or normal",
  },
];

/** What curators deliver. */
export const cellxgene71: ValidationProfile = {
  name: "cellxgene-7.1",
  description: "What curators must deliver under the CELLxGENE schema 7.1.0, as far as the file alone tells.",
  counts: {
    where: "raw or X",
    noEmptyCells: true,
    emptyCellsWith: "in_tissue",
    noEqualCells: true,
    scaledAre: "warning", // the schema asks for whole numbers
    dtype: "float32",
    unless: { column: "assay_ontology_term_id", some: countless, none: multiomes },
  },
  sparseAboveZeros: 0.5,
  sparseLayouts: ["csr"],
  rawLikeX: true,
  normalisedWanted: true,
  filteredFeatures: "feature_is_filtered",
  obs: {
    warnOfUnusedCategories: true,
    columns,
    forbidden: [
      ...obsForbidden,
      ...forbid(added, ...labels.obs, "experimental_condition", "perturbation_types"),
    ],
  },
  var: {
    usualRows: 20_000,
    index,
    columns: [{ name: "feature_is_filtered", kinds: ["boolean"], says: "true or false" }],
    forbidden: forbid(added, ...labels.var),
  },
  rawVar: {
    index,
    forbidden: [...forbid("it belongs to var", "feature_is_filtered"), ...forbid(added, ...labels.var)],
  },
  uns,
  unsForbidden: [...unsForbidden, ...forbid(added, ...labels.uns, "is_pre_analysis")],
  unsNotEmpty: true,
  colours: true,
  obsm: {
    atLeastOne: "X_",
    noneWith: "spatial",
    embeddings: "^(X_|spatial$)",
    warnOfOthers: true,
    minColumns: 2,
    names: {
      pattern:
        "^(?!X_[sS][pP][aA][tT][iI][aA][lL]$)(X_[a-zA-Z][a-zA-Z0-9_.-]*|(?!X_)[a-zA-Z][a-zA-Z0-9_.-]*)$",
      says: "a key of letters, digits, _, . and -, that begins with a letter (after X_), and is not X_spatial",
    },
    numbersOnly: true,
    noInfinity: true,
    onlyWith: [{ key: "spatial", uns: "spatial" }],
  },
  alignedNotEmpty: true,
  reservedPrefix: "__",
};

/** What CELLxGENE Discover hands out: the same with labels. */
export const cellxgene71Published: ValidationProfile = {
  ...cellxgene71,
  name: "cellxgene-7.1-published",
  description:
    "What CELLxGENE Discover publishes under the schema 7.1.0: what curators deliver, with labels of terms and genes.",
  obs: {
    ...cellxgene71.obs,
    columns: [...columns, ...labels.obs.map((name) => ({ name }))],
    forbidden: obsForbidden,
  },
  var: {
    ...cellxgene71.var,
    columns: [...cellxgene71.var!.columns!, ...labels.var.map((name) => ({ name }))],
    forbidden: [],
  },
  rawVar: { ...cellxgene71.rawVar, forbidden: forbid("it belongs to var", "feature_is_filtered") },
  uns: [...uns, ...labels.uns.map((key) => ({ key, pattern: "\\S", says: "text that is not empty" }))],
  unsForbidden,
};
