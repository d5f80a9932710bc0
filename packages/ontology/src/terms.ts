import { OntologyError } from "./errors.ts";

/** How close a synonym is to the label, in OBO's words. */
export type SynonymScope = "exact" | "broad" | "narrow" | "related";

/** Another name of a term. */
export interface Synonym {
  readonly text: string;
  readonly scope: SynonymScope;
}

/** One class of an ontology, whatever file format it came from. Ids are always written `PREFIX:LOCAL`. */
export interface OntologyTerm {
  readonly id: string;
  /** The one `rdfs:label` / OBO `name`; empty when the file gives none. */
  readonly label: string;
  /** Direct `is_a` parents only (no part_of, no intersections), without repeats, in file order. */
  readonly parents: readonly string[];
  readonly obsolete: boolean;
  /** Set on some obsolete terms. */
  readonly replacedBy?: string;
  readonly synonyms: readonly Synonym[];
}

/** Terms in file order. */
export type OntologyTerms = readonly OntologyTerm[];

/** Bounds on what a file may cost; the defaults leave room for UBERON or MONDO, and CL uses a tenth of them. */
export const LIMITS = {
  /** Characters of OBO text (cl-basic.obo is 1.2 M, full uberon.obo about 15 M). */
  maxTextLength: 256 * 1024 * 1024,
  /** Terms in one file (uberon with its imports has about 25,000). */
  maxTerms: 200_000,
  /** Terms in one compiled resource: the ancestor bitset takes n² / 8 bytes, 128 MiB here. */
  maxResourceTerms: 32_768,
  /** Direct is_a edges in one resource; CL has about 5,000. Closing them costs edges × terms / 32 steps. */
  maxEdges: 500_000,
  /** (term, ancestor) pairs in one resource; CL has about 45,000. Checking them costs pairs × terms / 32 steps. */
  maxAncestorPairs: 2_000_000,
} as const;

const ID_PATTERN = /^[A-Za-z][A-Za-z0-9]*[:_][A-Za-z0-9_.-]{1,64}$/;
const PURL_PATTERN = /^https?:\/\/purl\.obolibrary\.org\/obo\/([A-Za-z][A-Za-z0-9]*_[A-Za-z0-9_.-]{1,64})$/;

/**
 * The canonical spelling of a term id: `CL_0000084` and the OBO PURL both become `CL:0000084`.
 * Text that is no term id comes back trimmed and unchanged, so that it simply will not be found.
 */
export function normalizeTermId(id: string): string {
  const text = id.trim();
  const local = PURL_PATTERN.exec(text)?.[1] ?? text;
  if (!ID_PATTERN.test(local)) return text;
  const underscore = local.indexOf("_");
  return !local.includes(":") && underscore > 0
    ? `${local.slice(0, underscore)}:${local.slice(underscore + 1)}`
    : local;
}

/** Whether `id` (already normalised) looks like a term id. */
export function isTermId(id: string): boolean {
  return id.includes(":") && ID_PATTERN.test(id);
}

/** Throws `too_large` when a file holds more terms than {@link LIMITS} allows. */
export function checkTermCount(count: number): void {
  if (count > LIMITS.maxTerms) {
    throw new OntologyError("too_large", `The ontology has more than ${LIMITS.maxTerms} terms.`);
  }
}
