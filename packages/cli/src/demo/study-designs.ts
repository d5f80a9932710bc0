/** A label with its ontology id. */
interface Named {
  readonly label: string;
  readonly id: string;
}

/** Everything about a study that is not drawn at random. */
export interface StudyDesign {
  readonly name: string;
  readonly title: string;
  readonly role: "reference" | "query";
  readonly layout: "csr" | "csc" | "dense" | "raw";
  /** Where var keeps the Ensembl ids; symbols are the index when they are in a column. */
  readonly featureIds: "index" | "column";
  /** How finely the study annotates its cells. */
  readonly labels: "fine" | "coarse";
  readonly assay: Named;
  readonly tissue: Named;
  readonly donors: readonly { id: string; sex: "female" | "male"; disease: Named }[];
  /** Median counts of a lymphocyte. */
  readonly depth: number;
}

const V2: Named = { label: "10x 3' v2", id: "EFO:0009899" };
const V3: Named = { label: "10x 3' v3", id: "EFO:0009922" };
const FIVE_PRIME: Named = { label: "10x 5' v1", id: "EFO:0011025" };
const BLOOD: Named = { label: "blood", id: "UBERON:0000178" };
const MARROW: Named = { label: "bone marrow", id: "UBERON:0002371" };
const SPLEEN: Named = { label: "spleen", id: "UBERON:0002106" };
const NORMAL: Named = { label: "normal", id: "PATO:0000461" };
const LUPUS: Named = { label: "systemic lupus erythematosus", id: "MONDO:0007915" };
const COVID: Named = { label: "COVID-19", id: "MONDO:0100096" };

type Variant = Pick<
  StudyDesign,
  "title" | "layout" | "featureIds" | "labels" | "assay" | "tissue" | "depth"
> & {
  diseases: readonly Named[];
};

const VARIANTS: readonly Variant[] = [
  {
    title: "Simulated blood of healthy donors",
    layout: "csr",
    featureIds: "column",
    labels: "fine",
    assay: V3,
    tissue: BLOOD,
    depth: 2800,
    diseases: [NORMAL, NORMAL, NORMAL],
  },
  {
    title: "Simulated blood in lupus",
    layout: "csc",
    featureIds: "index",
    labels: "fine",
    assay: V2,
    tissue: BLOOD,
    depth: 1900,
    diseases: [LUPUS, NORMAL, LUPUS],
  },
  {
    title: "Simulated bone marrow",
    layout: "dense",
    featureIds: "index",
    labels: "fine",
    assay: V3,
    tissue: MARROW,
    depth: 2500,
    diseases: [NORMAL, NORMAL],
  },
  {
    title: "Simulated spleen and COVID-19, coarse annotation",
    layout: "raw",
    featureIds: "index",
    labels: "coarse",
    assay: FIVE_PRIME,
    tissue: SPLEEN,
    depth: 2200,
    diseases: [COVID, NORMAL, COVID],
  },
];

/** Design of the n-th reference study (from 0): four kinds of file in turn, with new donors each time. */
export function studyDesign(n: number): StudyDesign {
  const { diseases, ...variant } = VARIANTS[n % VARIANTS.length]!;
  return {
    ...variant,
    name: `demo-study-${n + 1}`,
    role: "reference",
    donors: diseases.map((disease, d) => ({
      id: `S${n + 1}-D${d + 1}`,
      sex: (n + d) % 2 === 0 ? "female" : "male",
      disease,
    })),
  };
}

/** The held-aside cells: a donor and a batch that no reference study has. */
export const QUERY_DESIGN: StudyDesign = {
  name: "demo-query",
  title: "Simulated blood of an unseen donor",
  role: "query",
  layout: "csr",
  featureIds: "index",
  labels: "fine",
  assay: V3,
  tissue: BLOOD,
  donors: [{ id: "Q-D1", sex: "female", disease: NORMAL }],
  depth: 2400,
};
