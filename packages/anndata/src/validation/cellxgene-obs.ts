import { organisms, suspensions } from "./cellxgene-terms.ts";
import type { ColumnRule, Condition } from "./types.ts";

/** A column of one ontology term per cell: text, mostly categorical. */
const term = (name: string, pattern: string, says: string, more: Partial<ColumnRule> = {}): ColumnRule => ({
  name,
  kinds: ["categorical", "string"],
  pattern,
  says,
  ...more,
});

const category = (name: string, more: Partial<ColumnRule> = {}): ColumnRule => ({
  name,
  kinds: ["categorical"],
  textCategories: true,
  pattern: "\\S",
  says: "text that is not empty",
  ...more,
});

const cellLine: Condition = { column: "tissue_type", is: ["cell line"] };
const noCellLine: Condition = { column: "tissue_type", not: ["cell line"] };
/** Where the dataset's organism is one of these. */
export const organism = (is: readonly string[]): Condition => ({
  uns: "organism_ontology_term_id",
  is: [...is],
});
const organismBut = (not: readonly string[]): Condition => ({
  uns: "organism_ontology_term_id",
  not: [...not],
});
const onlyNa = (why: string) => ({ values: ["na"], says: `na, as ${why}` });
const naInCellLines = [
  { when: [cellLine], ...onlyNa("a cell line has none") },
  { when: [noCellLine], refused: ["na"], says: "said; na is for cell lines" },
];

/** Organisms with ontologies of their own for cells and tissues, and their prefixes. */
const ownAnatomy = { worm: "WBbt", zebrafish: "ZFA", fly: "FBbt" } as const;
type Own = keyof typeof ownAnatomy;
const withOwnAnatomy = (Object.keys(ownAnatomy) as Own[]).flatMap((name) => organisms[name]);

/** Per organism: terms of the general ontology or of its own. */
function anatomy(
  general: string,
  when: Condition[],
  says: string,
  values: string[],
): NonNullable<ColumnRule["cases"]> {
  const among = (prefixes: string) => ({ values, pattern: `^(${prefixes}):`, says });
  return [
    ...(Object.keys(ownAnatomy) as Own[]).map((name) => ({
      when: [...when, organism(organisms[name])],
      ...among(`${general}|${ownAnatomy[name]}`),
    })),
    { when: [...when, organismBut(withOwnAnatomy)], ...among(general) },
  ];
}

const stages: [Condition, string][] = [
  [organism(organisms.human), "HsapDv"],
  [organism(organisms.mouse), "MmusDv"],
  [organism(organisms.zebrafish), "ZFS"],
  [organism(organisms.fly), "FBdv"],
  [organism(organisms.worm), "WBls"],
  [
    organismBut([
      ...organisms.human,
      ...organisms.mouse,
      ...organisms.zebrafish,
      ...organisms.fly,
      ...organisms.worm,
    ]),
    "UBERON",
  ],
];

const strategies = [
  "control",
  "CRISPR activation screen",
  "CRISPR interference screen",
  "CRISPR knockout mutant",
  "CRISPR knockout screen",
];

/** Columns of obs. */
export const columns: ColumnRule[] = [
  term("assay_ontology_term_id", "^EFO:\\d{7}$", "an EFO term, for example EFO:0009899"),
  term(
    "cell_type_ontology_term_id",
    "^(CL:\\d{7}|ZFA:\\d{7}|FBbt:\\d{8}|WBbt:\\d{7})$",
    "a Cell Ontology term (CL:0000084), a term of ZFA, FBbt or WBbt, unknown, or na for cell lines",
    {
      values: ["unknown", "na"],
      refused: ["CL:0000255", "CL:0000257", "CL:0000548", "WBbt:0006803"],
      cases: [
        ...anatomy("CL", [], "terms of CL, or of the organism's own ontology", ["unknown", "na"]),
        { when: [cellLine], allOrNone: ["na"] },
        { when: [noCellLine], refused: ["na"], says: "said; na is for cell lines" },
      ],
    },
  ),
  term(
    "development_stage_ontology_term_id",
    "^((HsapDv|MmusDv|UBERON|WBls|ZFS):\\d{7}|FBdv:\\d{7,8})$",
    "a development-stage term (HsapDv:0000003, MmusDv, WBls, ZFS, FBdv, UBERON), unknown, or na for cell lines",
    {
      values: ["unknown", "na"],
      refused: ["ZFS:0000000", "FBdv:00007012", "UBERON:0000071"],
      cases: [
        ...stages.map(([when, prefix]) => ({
          when: [when],
          values: ["unknown", "na"],
          pattern: `^${prefix}:`,
          says: `terms of ${prefix}, which the organism's stages are from`,
        })),
        ...naInCellLines,
      ],
    },
  ),
  term(
    "disease_ontology_term_id",
    "^MONDO:\\d{7}$",
    'PATO:0000461 for healthy, or MONDO terms, ascending, joined by " || "',
    { values: ["PATO:0000461"], separator: " || " },
  ),
  category("donor_id", { cases: naInCellLines }),
  { name: "is_primary_data", kinds: ["boolean"], says: "true or false" },
  term(
    "self_reported_ethnicity_ontology_term_id",
    "^(HANCESTRO:\\d{4}|AfPO:\\d{7,8})$",
    'HANCESTRO or AfPO terms, ascending, joined by " || ", unknown, or na where the organism is not human',
    {
      values: ["unknown", "na"],
      separator: " || ",
      cases: [
        {
          when: [organism(organisms.human), noCellLine],
          refused: ["na"],
          says: "said, for people; unknown, if it is",
        },
        { when: [organismBut(organisms.human)], ...onlyNa("the organism is not human") },
        { when: [cellLine], ...onlyNa("a cell line has none") },
      ],
    },
  ),
  term(
    "sex_ontology_term_id",
    "^PATO:(0000383|0000384|0001340)$",
    "PATO:0000383, PATO:0000384, PATO:0001340, unknown, or na for cell lines",
    {
      values: ["unknown", "na"],
      cases: [
        {
          when: [organism(organisms.worm)],
          refused: ["PATO:0000383"],
          says: "male (PATO:0000384) or hermaphrodite (PATO:0001340), as worms are",
        },
        ...naInCellLines,
      ],
    },
  ),
  category("suspension_type", {
    pattern: "^(cell|nucleus|na)$",
    says: "cell, nucleus or na",
    cases: suspensions.map(({ assays, values, says }) => ({
      when: [{ column: "assay_ontology_term_id", is: assays }],
      values,
      says,
    })),
  }),
  term(
    "tissue_ontology_term_id",
    "^(unknown|(UBERON|CL|ZFA|WBbt):\\d{7}|FBbt:\\d{8}|CVCL_[A-Z0-9]{4})$",
    "an UBERON term, for cell culture a CL term, for cell lines a Cellosaurus id (CVCL_0030), or a term of ZFA, FBbt or WBbt",
    {
      refused: [
        "UBERON:0000922",
        "ZFA:0009000",
        "ZFA:0001093",
        "FBbt:00007002",
        "WBbt:0004017",
        "WBbt:0006803",
      ],
      cases: [
        ...anatomy(
          "UBERON",
          [{ column: "tissue_type", is: ["tissue", "organoid"] }],
          "terms of UBERON, or of the organism's own ontology, as they are a tissue or an organoid",
          [],
        ),
        ...anatomy(
          "CL",
          [{ column: "tissue_type", is: ["primary cell culture"] }],
          "terms of CL, or of the organism's own ontology, as they are a primary cell culture",
          ["unknown"],
        ),
        { when: [cellLine], pattern: "^CVCL_", says: "Cellosaurus ids (CVCL_0030), as they are a cell line" },
      ],
    },
  ),
  category("tissue_type", {
    pattern: "^(tissue|organoid|cell line|primary cell culture)$",
    says: "tissue, organoid, cell line or primary cell culture",
  }),
  category("genetic_perturbation_id", { onlyIf: [{ uns: "genetic_perturbations" }] }),
  category("genetic_perturbation_strategy", {
    onlyIf: [{ column: "genetic_perturbation_id" }],
    pattern: `^(no perturbations|${strategies.join("|")})$`,
    says: `no perturbations, or ${strategies.join(", ")}`,
    cases: [
      {
        when: [{ column: "genetic_perturbation_id", is: ["na"] }],
        values: ["no perturbations"],
        says: "no perturbations, as genetic_perturbation_id is na",
      },
      {
        when: [{ column: "genetic_perturbation_id", not: ["na"] }],
        values: strategies,
        says: "the strategy of a perturbation, as genetic_perturbation_id is not na",
      },
    ],
  }),
];
