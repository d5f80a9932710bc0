import { cellxgene71, cellxgene71Published } from "./cellxgene.ts";
import type { ColumnRule, ValidationProfile } from "./types.ts";

const text = (name: string, more: Partial<ColumnRule> = {}): ColumnRule => ({
  name,
  kinds: ["categorical", "string"],
  pattern: "\\S",
  says: "text that is not empty",
  ...more,
});

/** Stable gene ids without version, of the organisms that CELLxGENE takes, and ERCC spike-ins. */
const geneIds = {
  pattern: "^(ENS[A-Z]{0,6}G\\d{11}|ERCC-\\d{5}|(FBgn|FBti)\\d{7}|WBGene\\d{8})$",
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
  [minimal, counts, rawCounts, cellxgene71, cellxgene71Published, cas].map((profile) => [
    profile.name,
    profile,
  ]),
);

/** A profile that also asks for every feature to be in one of the lists, for example one GENCODE release and the ERCC spike-ins. */
export function withGeneLists(
  profile: ValidationProfile,
  lists: readonly { name: string; ids: string[] }[],
): ValidationProfile {
  return lists.length === 0 ? profile : { ...profile, geneLists: [...(profile.geneLists ?? []), ...lists] };
}
