import { bitRows, hasBit, isSubset, setBit } from "./bitset.ts";
import type { OntologyProblem } from "./errors.ts";
import { MAX_PROBLEMS, OntologyError } from "./errors.ts";
import { graphFromParents, topologicalOrder } from "./graph.ts";
import { isRecord, kind } from "./json.ts";
import type { OntologyResource } from "./resource.ts";
import { isTermId, LIMITS, normalizeTermId } from "./terms.ts";

type Report = (tag: OntologyProblem["tag"], message: string) => void;

const LIST_KEYS = ["ancestors_dictionary", "children_dictionary"] as const;
const DEPTH_KEYS = ["shortest_path_lengths_from_cell_root", "longest_path_lengths_from_cell_root"] as const;

/**
 * Checks a resource read from JSON and returns it with canonical ids (`CL_0000000` is accepted) in the file's own
 * key order. `cl_names` may be absent (older files have none) and is then the sorted ids. Checked: every dictionary is
 * there with the right value types; every id is a term id known to `ancestors_dictionary` and has a label; children
 * form no cycle; every edge and every ancestor's ancestors are in the closure; depths are whole and shortest ≤ longest.
 *
 * @throws OntologyError `invalid_resource` listing what is wrong (`problems`, at most 50), or `too_large`.
 */
export function validateResource(json: unknown): OntologyResource {
  const problems: OntologyProblem[] = [];
  const report: Report = (tag, message) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ tag, message });
  };
  const resource = readShape(json, report);
  if (problems.length === 0) checkIds(resource, report);
  if (problems.length === 0) checkGraph(resource, report);
  if (problems.length > 0) {
    const listed = problems.slice(0, 5).map((problem) => problem.message);
    const more = problems.length > listed.length ? ` (and ${problems.length - listed.length} more)` : "";
    throw new OntologyError(
      "invalid_resource",
      `The ontology resource is not usable: ${listed.join("; ")}${more}`,
      {
        problems,
      },
    );
  }
  return resource;
}

function readShape(json: unknown, report: Report): OntologyResource {
  const source = isRecord(json) ? json : {};
  if (source !== json) report("invalid_value", `expected a JSON object, found ${kind(json)}`);
  const dictionary = <T>(
    key: string,
    read: (value: unknown) => T | undefined,
    expected: string,
  ): Record<string, T> => {
    const found = Object.hasOwn(source, key) ? source[key] : undefined;
    const entries: [string, T][] = [];
    if (found === undefined) report("missing_key", `missing key ${key}`);
    else if (!isRecord(found)) report("invalid_value", `${key}: expected an object, found ${kind(found)}`);
    else {
      checkSize(Object.keys(found).length, key);
      for (const [rawId, rawValue] of Object.entries(found)) {
        const id = normalizeTermId(rawId);
        const value = read(rawValue);
        if (!isTermId(id)) report("invalid_value", `${key}: ${clip(rawId)} is not a term id`);
        else if (value === undefined)
          report("invalid_value", `${key}[${id}]: expected ${expected}, found ${kind(rawValue)}`);
        else entries.push([id, value]);
      }
      if (new Set(entries.map(([id]) => id)).size < entries.length)
        report("duplicate_id", `${key}: an id appears in two spellings`);
    }
    return Object.fromEntries(entries);
  };
  const ids = (value: unknown): string[] | undefined =>
    Array.isArray(value) && value.every((id) => typeof id === "string")
      ? value.map(normalizeTermId)
      : undefined;
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const whole = (value: unknown): number | undefined =>
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LIMITS.maxTerms
      ? value
      : undefined;
  const ancestors = dictionary("ancestors_dictionary", ids, "an array of ids");
  const pairs = Object.values(ancestors).reduce((sum, list) => sum + list.length, 0);
  if (pairs > LIMITS.maxAncestorPairs) {
    throw new OntologyError(
      "too_large",
      `ancestors_dictionary holds ${pairs} pairs, at most ${LIMITS.maxAncestorPairs}.`,
    );
  }
  const names = Object.hasOwn(source, "cl_names") ? ids(source.cl_names) : Object.keys(ancestors).sort();
  if (names === undefined) report("invalid_value", "cl_names: expected an array of ids");
  return {
    cl_names: names ?? [],
    cell_ontology_term_id_to_cell_type: dictionary("cell_ontology_term_id_to_cell_type", text, "a label"),
    children_dictionary: dictionary("children_dictionary", ids, "an array of ids"),
    shortest_path_lengths_from_cell_root: dictionary(DEPTH_KEYS[0], whole, "a whole number"),
    longest_path_lengths_from_cell_root: dictionary(DEPTH_KEYS[1], whole, "a whole number"),
    ancestors_dictionary: ancestors,
  };
}

function checkSize(terms: number, key: string): void {
  if (terms > LIMITS.maxResourceTerms) {
    throw new OntologyError("too_large", `${key} holds ${terms} terms, at most ${LIMITS.maxResourceTerms}.`);
  }
}

function checkIds(resource: OntologyResource, report: Report): void {
  const known = new Set(Object.keys(resource.ancestors_dictionary));
  if (known.size === 0) report("invalid_value", "ancestors_dictionary is empty");
  const check = (id: string, where: string): void => {
    if (!known.has(id)) report("dangling_id", `${where}: ${clip(id)} is not a key of ancestors_dictionary`);
  };
  for (const key of LIST_KEYS) {
    for (const [id, list] of Object.entries(resource[key])) {
      check(id, key);
      for (const other of list) check(other, `${key}[${id}]`);
      if (new Set(list).size < list.length) report("duplicate_id", `${key}[${id}] names an id twice`);
    }
  }
  for (const id of Object.keys(resource.cell_ontology_term_id_to_cell_type)) {
    check(id, "cell_ontology_term_id_to_cell_type");
  }
  for (const key of DEPTH_KEYS) for (const id of Object.keys(resource[key])) check(id, key);
  for (const id of known) {
    if (!Object.hasOwn(resource.cell_ontology_term_id_to_cell_type, id))
      report("missing_key", `${id} has no label`);
    if (!Object.hasOwn(resource.children_dictionary, id))
      report("missing_key", `${id} is missing in children_dictionary`);
  }
  for (const id of resource.cl_names) check(id, "cl_names");
  if (new Set(resource.cl_names).size !== known.size || resource.cl_names.length !== known.size) {
    report(
      "invalid_value",
      `cl_names has ${resource.cl_names.length} ids, ancestors_dictionary ${known.size}`,
    );
  }
  const [shortest, longest] = DEPTH_KEYS.map((key) => resource[key]) as [
    Record<string, number>,
    Record<string, number>,
  ];
  for (const id of new Set([...Object.keys(shortest), ...Object.keys(longest)])) {
    const [low, high] = [shortest[id], longest[id]];
    if (low === undefined || high === undefined || low > high) {
      report("invalid_value", `${id}: shortest path ${low ?? "absent"}, longest path ${high ?? "absent"}`);
    }
  }
}

function checkGraph(resource: OntologyResource, report: Report): void {
  const ids = Object.keys(resource.ancestors_dictionary);
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const parents: number[][] = ids.map(() => []);
  for (const [id, children] of Object.entries(resource.children_dictionary)) {
    for (const child of children) parents[indexOf.get(child)!]!.push(indexOf.get(id)!);
  }
  try {
    topologicalOrder(graphFromParents(parents), (node) => ids[node]!);
  } catch (error) {
    if (!(error instanceof OntologyError)) throw error;
    report(error.tag, `children_dictionary: ${error.message}`);
    return;
  }
  const lists = ids.map((id) => resource.ancestors_dictionary[id]!.map((ancestor) => indexOf.get(ancestor)!));
  const rows = bitRows(ids.length);
  lists.forEach((list, index) => {
    for (const ancestor of list) setBit(rows, index, ancestor);
  });
  ids.forEach((id, index) => {
    if (hasBit(rows, index, index)) report("cycle", `ancestors_dictionary: ${id} is its own ancestor`);
    for (const parent of parents[index]!) {
      if (!hasBit(rows, index, parent)) {
        report("invalid_value", `${id} is a child of ${ids[parent]}, which is missing among its ancestors`);
      }
    }
    for (const ancestor of lists[index]!) {
      if (!isSubset(rows, ancestor, index)) {
        report(
          "invalid_value",
          `${id}: an ancestor of its ancestor ${ids[ancestor]} is missing among its ancestors`,
        );
      }
    }
  });
}

function clip(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
