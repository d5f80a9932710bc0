import { OntologyError } from "./errors.ts";
import { array, optionalString, record } from "./json.ts";
import type { OntologyTerm, OntologyTerms } from "./terms.ts";
import { checkTermCount, isTermId, normalizeTermId } from "./terms.ts";

/**
 * Reads one ontology of the CELLxGENE ontology guide (`CL-ontology-<version>.json`, parsed): an object id →
 * `{label, ancestors: {id: distance}, deprecated, synonyms?, replaced_by?}`. Direct parents are the ancestors at
 * distance 1; the guide's synonyms are exact ones.
 *
 * @throws OntologyError `invalid_value` (with the term), `duplicate_id`, `too_large`.
 * @see https://github.com/chanzuckerberg/cellxgene-ontology-guide
 */
export function parseOntologyGuide(json: unknown): OntologyTerms {
  const entries = Object.entries(record(json, "the document"));
  checkTermCount(entries.length);
  if (entries.length === 0)
    throw new OntologyError("invalid_value", "The ontology guide document has no term.");
  const seen = new Set<string>();
  return entries.map(([key, value]) => {
    const term = readTerm(key, value);
    if (seen.has(term.id)) throw new OntologyError("duplicate_id", `${term.id} is defined twice.`);
    seen.add(term.id);
    return term;
  });
}

function readTerm(key: string, value: unknown): OntologyTerm {
  const id = normalizeTermId(key);
  if (!isTermId(id)) {
    throw new OntologyError(
      "invalid_value",
      `${JSON.stringify(key.slice(0, 80))} is not a term id such as CL:0000084.`,
    );
  }
  const term = record(value, id);
  const parents: string[] = [];
  for (const [ancestor, distance] of Object.entries(record(term.ancestors ?? {}, `${id}.ancestors`))) {
    if (typeof distance !== "number" || !Number.isInteger(distance) || distance < 1) {
      throw new OntologyError(
        "invalid_value",
        `${id}.ancestors.${ancestor}: expected a distance of 1 or more.`,
      );
    }
    if (distance === 1) parents.push(normalizeTermId(ancestor));
  }
  const replacedBy = optionalString(term.replaced_by, `${id}.replaced_by`);
  return {
    id,
    label: optionalString(term.label, `${id}.label`) ?? "",
    parents,
    obsolete: term.deprecated === true,
    ...(replacedBy === undefined ? {} : { replacedBy: normalizeTermId(replacedBy) }),
    synonyms: array(term.synonyms ?? [], `${id}.synonyms`).map((text, s) => ({
      text: optionalString(text, `${id}.synonyms[${s}]`) ?? "",
      scope: "exact" as const,
    })),
  };
}
