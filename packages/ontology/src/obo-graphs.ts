import { OntologyError } from "./errors.ts";
import { array, isRecord, optionalString, record } from "./json.ts";
import type { OntologyTerm, OntologyTerms, Synonym, SynonymScope } from "./terms.ts";
import { checkTermCount, normalizeTermId } from "./terms.ts";

const SCOPES: Record<string, SynonymScope> = {
  hasExactSynonym: "exact",
  hasBroadSynonym: "broad",
  hasNarrowSynonym: "narrow",
  hasRelatedSynonym: "related",
};
const REPLACED_BY = "http://purl.obolibrary.org/obo/IAO_0100001";

interface Draft {
  id: string;
  label: string;
  parents: Set<string>;
  obsolete: boolean;
  replacedBy: string | undefined;
  synonyms: Synonym[];
}

/**
 * Reads an OWL ontology in its OBO-graphs JSON form (`cl.json` of an OBO release, parsed by `JSON.parse`): nodes of
 * type CLASS (or without a type) and `is_a` edges of every graph.
 *
 * @throws OntologyError `missing_key`, `invalid_value` (with the place in the document), `duplicate_id`, `too_large`.
 * @see https://github.com/geneontology/obographs
 */
export function parseOboGraphs(json: unknown): OntologyTerms {
  const graphs = array(record(json, "the document").graphs, "graphs");
  const drafts = new Map<string, Draft>();
  graphs.forEach((graph, g) => {
    const nodes = record(graph, `graphs[${g}]`).nodes;
    array(nodes ?? [], `graphs[${g}].nodes`).forEach((node, n) => {
      const draft = readNode(node, `graphs[${g}].nodes[${n}]`);
      if (draft === undefined) return;
      if (drafts.has(draft.id)) {
        throw new OntologyError("duplicate_id", `graphs[${g}].nodes[${n}]: ${draft.id} is defined twice.`);
      }
      drafts.set(draft.id, draft);
      checkTermCount(drafts.size);
    });
  });
  graphs.forEach((graph, g) => {
    array(record(graph, `graphs[${g}]`).edges ?? [], `graphs[${g}].edges`).forEach((edge, e) => {
      readEdge(edge, `graphs[${g}].edges[${e}]`, drafts);
    });
  });
  if (drafts.size === 0)
    throw new OntologyError("invalid_value", "The OBO-graphs document has no class node.");
  return [...drafts.values()].map(finish);
}

function readNode(json: unknown, where: string): Draft | undefined {
  const node = record(json, where);
  const id = optionalString(node.id, `${where}.id`);
  if (id === undefined) throw new OntologyError("missing_key", `${where}.id: expected a string, found none.`);
  if (node.type !== undefined && node.type !== "CLASS") return undefined;
  const meta = isRecord(node.meta) ? node.meta : {};
  const synonyms: Synonym[] = [];
  array(meta.synonyms ?? [], `${where}.meta.synonyms`).forEach((entry, s) => {
    const synonym = record(entry, `${where}.meta.synonyms[${s}]`);
    const text = optionalString(synonym.val, `${where}.meta.synonyms[${s}].val`);
    const scope = SCOPES[String(synonym.pred)];
    if (text !== undefined && scope !== undefined) synonyms.push({ text, scope });
  });
  let replacedBy: string | undefined;
  for (const entry of array(meta.basicPropertyValues ?? [], `${where}.meta.basicPropertyValues`)) {
    if (isRecord(entry) && entry.pred === REPLACED_BY && typeof entry.val === "string") {
      replacedBy ??= normalizeTermId(entry.val);
    }
  }
  return {
    id: normalizeTermId(id),
    label: optionalString(node.lbl, `${where}.lbl`) ?? "",
    parents: new Set(),
    obsolete: meta.deprecated === true,
    replacedBy,
    synonyms,
  };
}

function readEdge(json: unknown, where: string, drafts: Map<string, Draft>): void {
  const edge = record(json, where);
  if (edge.pred !== "is_a") return;
  if (typeof edge.sub !== "string" || typeof edge.obj !== "string") {
    throw new OntologyError("invalid_value", `${where}: an is_a edge needs the strings "sub" and "obj".`);
  }
  drafts.get(normalizeTermId(edge.sub))?.parents.add(normalizeTermId(edge.obj));
}

function finish(draft: Draft): OntologyTerm {
  const { replacedBy, parents, ...rest } = draft;
  return { ...rest, parents: [...parents], ...(replacedBy === undefined ? {} : { replacedBy }) };
}
