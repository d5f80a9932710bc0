import type { BitRows } from "./bitset.ts";
import { bitRows, hasBit, setBit } from "./bitset.ts";
import { OntologyError } from "./errors.ts";
import type { OntologyResource } from "./resource.ts";
import type { OntologyTerms } from "./terms.ts";
import { LIMITS, normalizeTermId } from "./terms.ts";

/** Which path from the root a depth counts. */
export type DepthMeasure = "shortest" | "longest";

/** A resource ready for hot loops: terms are positions 0 … n−1 in the key order of `ancestors_dictionary`. */
export interface Ontology {
  /** Canonical ids by position. */
  readonly termIds: readonly string[];
  /** Position of an id (`CL:0000084`, `CL_0000084` or its PURL), −1 when unknown. */
  indexOf(id: string): number;
  /** Label by position. */
  label(index: number): string;
  /** Positions of all ancestors, the term itself excluded, in the resource's order. */
  ancestors(index: number): Int32Array;
  /** Positions of the direct children. */
  children(index: number): Int32Array;
  /** Row-major bits, n rows of `wordsPerRow` words: bit a of row b is set when a is a proper ancestor of b. */
  readonly ancestorBits: Uint32Array;
  readonly wordsPerRow: number;
  /** Whether `ancestor` is a proper ancestor of `descendant`; false for a term and itself. */
  isAncestor(ancestor: number, descendant: number): boolean;
  /** Edges from the root, −1 when the root does not reach the term. */
  depth(index: number, measure?: DepthMeasure): number;
  /**
   * Position of the term with this label, else of the term with this exact synonym (known only when
   * `compileOntology` got the terms), ignoring case and surrounding space; −1 when none. An obsolete term never hides
   * a current one; among several of the same rank the first in order wins.
   */
  findByLabel(label: string): number;
}

/** Extras that the resource file does not carry. */
export interface CompileOptions {
  /** The parsed ontology, for `findByLabel` over exact synonyms. */
  terms?: OntologyTerms;
}

/**
 * Compiles a resource. The resource must be sound: make it with `buildResource` or pass it through
 * `validateResource` first.
 *
 * @throws OntologyError `dangling_id` or `too_large`.
 */
export function compileOntology(resource: OntologyResource, options: CompileOptions = {}): Ontology {
  const termIds = Object.keys(resource.ancestors_dictionary).map(normalizeTermId);
  if (termIds.length > LIMITS.maxResourceTerms) {
    throw new OntologyError(
      "too_large",
      `${termIds.length} terms, at most ${LIMITS.maxResourceTerms} can be compiled.`,
    );
  }
  const byId = new Map(termIds.map((id, index) => [id, index]));
  const indexOf = (id: string): number => byId.get(id) ?? byId.get(normalizeTermId(id)) ?? -1;
  const ancestors = positions(resource.ancestors_dictionary, "ancestors_dictionary", indexOf, termIds.length);
  const children = positions(resource.children_dictionary, "children_dictionary", indexOf, termIds.length);
  const rows: BitRows = bitRows(termIds.length);
  ancestors.forEach((list, index) => {
    for (const ancestor of list) setBit(rows, index, ancestor);
  });
  const labels = new Array<string>(termIds.length).fill("");
  for (const [id, label] of Object.entries(resource.cell_ontology_term_id_to_cell_type)) {
    const index = indexOf(id);
    if (index >= 0) labels[index] = label;
  }
  const depths = {
    shortest: depthColumn(resource.shortest_path_lengths_from_cell_root, indexOf, termIds.length),
    longest: depthColumn(resource.longest_path_lengths_from_cell_root, indexOf, termIds.length),
  };
  const byLabel = labelTable(labels, depths.shortest, options.terms, indexOf);
  return {
    termIds,
    indexOf,
    label: (index) => labels[index]!,
    ancestors: (index) => ancestors[index]!,
    children: (index) => children[index]!,
    ancestorBits: rows.bits,
    wordsPerRow: rows.words,
    isAncestor: (ancestor, descendant) => hasBit(rows, descendant, ancestor),
    depth: (index, measure = "shortest") => depths[measure][index]!,
    findByLabel: (label) => byLabel.get(foldLabel(label)) ?? -1,
  };
}

function positions(
  dictionary: Record<string, string[]>,
  name: string,
  indexOf: (id: string) => number,
  count: number,
): Int32Array[] {
  const lists = new Array<Int32Array>(count).fill(new Int32Array(0));
  for (const [id, values] of Object.entries(dictionary)) {
    const index = indexOf(id);
    lists[index < 0 ? fail(name, id) : index] = Int32Array.from(values, (value) => {
      const position = indexOf(value);
      return position < 0 ? fail(`${name}[${id}]`, value) : position;
    });
  }
  return lists;
}

function fail(where: string, id: string): never {
  throw new OntologyError("dangling_id", `${where}: ${id} is not a key of ancestors_dictionary.`);
}

function depthColumn(
  dictionary: Record<string, number>,
  indexOf: (id: string) => number,
  count: number,
): Int32Array {
  const column = new Int32Array(count).fill(-1);
  for (const [id, depth] of Object.entries(dictionary)) {
    const index = indexOf(id);
    if (index >= 0) column[index] = depth;
  }
  return column;
}

function labelTable(
  labels: readonly string[],
  depths: Int32Array,
  terms: OntologyTerms | undefined,
  indexOf: (id: string) => number,
): Map<string, number> {
  const table = new Map<string, number>();
  const add = (text: string, index: number): void => {
    const key = foldLabel(text);
    if (key !== "" && !table.has(key)) table.set(key, index);
  };
  const addLabels = (reachable: boolean): void =>
    labels.forEach((label, index) => {
      if (depths[index]! >= 0 === reachable) add(label, index);
    });
  addLabels(true);
  for (const term of terms ?? []) {
    const index = indexOf(term.id);
    if (index < 0 || term.obsolete) continue;
    for (const synonym of term.synonyms) if (synonym.scope === "exact") add(synonym.text, index);
  }
  addLabels(false);
  return table;
}

function foldLabel(label: string): string {
  return label.trim().toLowerCase();
}
