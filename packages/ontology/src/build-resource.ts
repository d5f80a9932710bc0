import { ancestorRows, columnsOf } from "./bitset.ts";
import { OntologyError } from "./errors.ts";
import { graphFromParents, longestDepths, shortestDepths, topologicalOrder } from "./graph.ts";
import type { OntologyResource } from "./resource.ts";
import type { OntologyTerm, OntologyTerms } from "./terms.ts";
import { LIMITS, normalizeTermId } from "./terms.ts";

/** Which part of an ontology becomes a resource. */
export interface BuildOptions {
  /** Term that depths count from, e.g. `CL:0000000`. */
  root: string;
  /** Only ids starting so become terms, e.g. `CL:`; edges to anything else are dropped. */
  prefix: string;
  /**
   * Keep obsolete terms (default true: the original resource script keeps every labelled class, so that cells
   * annotated with a retired id still count as recognised). They have no parents and no depth.
   */
  includeObsolete?: boolean;
}

/**
 * Builds the resource of all labelled terms with the prefix: closure of `is_a`, children, depths from the root.
 *
 * @throws OntologyError `unknown_root`, `dangling_id` (a parent with the prefix is in no stanza: a cut-off file),
 *   `duplicate_id`, `cycle` (with its path), `too_large`.
 */
export function buildResource(terms: OntologyTerms, options: BuildOptions): OntologyResource {
  const prefix = options.prefix.replace(/_$/, ":");
  const root = normalizeTermId(options.root);
  const kept = selectTerms(terms, prefix, options.includeObsolete ?? true);
  const ids = kept.map((term) => term.id);
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const rootIndex = indexOf.get(root);
  if (rootIndex === undefined) {
    throw new OntologyError(
      "unknown_root",
      `The root ${root} is not among the ${ids.length} labelled ${prefix} terms.`,
    );
  }
  const graph = graphFromParents(resolveParents(kept, terms, prefix, indexOf));
  const order = topologicalOrder(graph, (node) => ids[node]!);
  const ancestors = ancestorRows(graph, order);
  const shortest = shortestDepths(graph, rootIndex);
  const longest = longestDepths(graph, order, rootIndex);

  const resource = emptyResource(ids);
  let pairs = 0;
  kept.forEach((term, index) => {
    const columns = columnsOf(ancestors, index);
    pairs += columns.length;
    if (pairs > LIMITS.maxAncestorPairs) {
      throw new OntologyError(
        "too_large",
        `The ontology has more than ${LIMITS.maxAncestorPairs} (term, ancestor) pairs.`,
      );
    }
    resource.cell_ontology_term_id_to_cell_type[term.id] = term.label;
    resource.ancestors_dictionary[term.id] = columns.map((column) => ids[column]!);
    resource.children_dictionary[term.id] = [...graph.children[index]!]
      .sort((a, b) => a - b)
      .map((c) => ids[c]!);
    if (shortest[index]! >= 0) {
      resource.shortest_path_lengths_from_cell_root[term.id] = shortest[index]!;
      resource.longest_path_lengths_from_cell_root[term.id] = longest[index]!;
    }
  });
  return resource;
}

/** Labelled terms with the prefix in ascending id order: bit columns then come out sorted by id for free. */
function selectTerms(terms: OntologyTerms, prefix: string, includeObsolete: boolean): OntologyTerm[] {
  const kept = terms
    .filter((term) => term.id.startsWith(prefix) && term.label !== "" && (includeObsolete || !term.obsolete))
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  if (kept.length > LIMITS.maxResourceTerms) {
    throw new OntologyError(
      "too_large",
      `${kept.length} terms, at most ${LIMITS.maxResourceTerms} fit a resource.`,
    );
  }
  kept.forEach((term, index) => {
    if (kept[index + 1]?.id === term.id)
      throw new OntologyError("duplicate_id", `${term.id} is defined twice.`);
  });
  return kept;
}

function resolveParents(
  kept: readonly OntologyTerm[],
  all: OntologyTerms,
  prefix: string,
  indexOf: ReadonlyMap<string, number>,
): number[][] {
  const known = new Set(all.map((term) => term.id));
  const edges = kept.reduce((sum, term) => sum + term.parents.length, 0);
  if (edges > LIMITS.maxEdges) {
    throw new OntologyError("too_large", `${edges} is_a edges, at most ${LIMITS.maxEdges} fit a resource.`);
  }
  return kept.map((term) => {
    const parents: number[] = [];
    for (const parent of new Set(term.parents)) {
      const index = indexOf.get(parent);
      if (index !== undefined) {
        parents.push(index);
      } else if (parent.startsWith(prefix) && !known.has(parent)) {
        throw new OntologyError(
          "dangling_id",
          `${term.id} is_a ${parent}, which the ontology does not define; is the file cut off?`,
        );
      }
    }
    return parents;
  });
}

function emptyResource(ids: readonly string[]): OntologyResource {
  return {
    cl_names: [...ids],
    cell_ontology_term_id_to_cell_type: {},
    children_dictionary: {},
    shortest_path_lengths_from_cell_root: {},
    longest_path_lengths_from_cell_root: {},
    ancestors_dictionary: {},
  };
}
