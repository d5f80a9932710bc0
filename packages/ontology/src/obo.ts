import { OntologyError } from "./errors.ts";
import type { OntologyTerm, OntologyTerms, Synonym, SynonymScope } from "./terms.ts";
import { checkTermCount, isTermId, LIMITS, normalizeTermId } from "./terms.ts";

interface Stanza {
  line: number;
  id: string;
  label: string | undefined;
  parents: Set<string>;
  obsolete: boolean;
  replacedBy: string | undefined;
  synonyms: Synonym[];
}

/**
 * Reads an OBO 1.2/1.4 file: the `[Term]` stanzas with id, name, is_a, is_obsolete, replaced_by and synonym;
 * everything else (typedefs, relationships, intersections, definitions) is passed over.
 *
 * @throws OntologyError `syntax` (with the line), `duplicate_id`, `too_large`.
 * @see https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html
 */
export function parseObo(text: string): OntologyTerms {
  if (text.length > LIMITS.maxTextLength) {
    throw new OntologyError(
      "too_large",
      `OBO text has ${text.length} characters, at most ${LIMITS.maxTextLength} are read.`,
    );
  }
  const terms: OntologyTerm[] = [];
  const seen = new Map<string, number>();
  let stanza: Stanza | undefined;
  const finish = (): void => {
    if (stanza === undefined) return;
    const term = finishStanza(stanza);
    const before = seen.get(term.id);
    if (before !== undefined) {
      throw new OntologyError(
        "duplicate_id",
        `OBO line ${stanza.line}: ${term.id} was already defined at line ${before}.`,
      );
    }
    seen.set(term.id, stanza.line);
    terms.push(term);
    checkTermCount(terms.length);
  };
  for (const [line, content] of lines(text)) {
    if (content.startsWith("[")) {
      finish();
      stanza = content === "[Term]" ? emptyStanza(line) : undefined;
    } else if (stanza !== undefined) {
      readTag(stanza, content, line);
    }
  }
  finish();
  if (terms.length === 0) {
    throw new OntologyError("syntax", "OBO text has no [Term] stanza; is this an OBO file?");
  }
  return terms;
}

function* lines(text: string): Generator<[number, string]> {
  let start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  for (let line = 1; start < text.length; line++) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const content = text.slice(start, end).trim();
    if (content !== "" && !content.startsWith("!")) yield [line, content];
    start = end + 1;
  }
}

function emptyStanza(line: number): Stanza {
  return {
    line,
    id: "",
    label: undefined,
    parents: new Set(),
    obsolete: false,
    replacedBy: undefined,
    synonyms: [],
  };
}

function readTag(stanza: Stanza, content: string, line: number): void {
  const colon = content.indexOf(":");
  if (colon <= 0) {
    throw new OntologyError("syntax", `OBO line ${line}: expected "tag: value", found ${quote(content)}.`);
  }
  const value = content.slice(colon + 1).trim();
  switch (content.slice(0, colon)) {
    case "id":
      if (stanza.id !== "")
        throw new OntologyError("syntax", `OBO line ${line}: a second id in the stanza of ${stanza.id}.`);
      stanza.id = readId(value, line);
      return;
    case "name":
      if (stanza.label !== undefined) {
        throw new OntologyError("syntax", `OBO line ${line}: a second name in the stanza of ${stanza.id}.`);
      }
      stanza.label = unescapeText(stripModifiers(value));
      return;
    case "is_a":
      stanza.parents.add(readId(value, line));
      return;
    case "is_obsolete":
      stanza.obsolete = /^true\b/.test(value);
      return;
    case "replaced_by":
      stanza.replacedBy ??= readId(value, line);
      return;
    case "synonym":
      stanza.synonyms.push(readSynonym(value, line));
  }
}

/** `CL:0000034 {is_inferred="true"} ! stem cell` → `CL:0000034`. */
function readId(value: string, line: number): string {
  const token = /^[^\s{!]*/.exec(value)?.[0] ?? "";
  if (token === "")
    throw new OntologyError("syntax", `OBO line ${line}: expected a term id, found ${quote(value)}.`);
  return normalizeTermId(token);
}

function readSynonym(value: string, line: number): Synonym {
  if (!value.startsWith('"')) {
    throw new OntologyError("syntax", `OBO line ${line}: expected a quoted synonym, found ${quote(value)}.`);
  }
  let end = 1;
  while (end < value.length && value[end] !== '"') end += value[end] === "\\" ? 2 : 1;
  if (end >= value.length)
    throw new OntologyError("syntax", `OBO line ${line}: the synonym's quote is not closed.`);
  const scope =
    /^\s*(EXACT|BROAD|NARROW|RELATED)\b/.exec(value.slice(end + 1))?.[1]?.toLowerCase() ?? "related";
  return { text: unescapeText(value.slice(1, end)), scope: scope as SynonymScope };
}

function stripModifiers(value: string): string {
  const brace = value.endsWith("}") ? value.lastIndexOf(" {") : -1;
  return brace > 0 && /^ \{[\w-]+="/.test(value.slice(brace)) ? value.slice(0, brace).trimEnd() : value;
}

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", W: " " };

function unescapeText(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/g, (_, c: string) => ESCAPES[c] ?? c) : text;
}

function finishStanza(stanza: Stanza): OntologyTerm {
  if (stanza.id === "") throw new OntologyError("syntax", `OBO line ${stanza.line}: this [Term] has no id.`);
  if (stanza.id.startsWith("CL:") && !isTermId(stanza.id)) {
    throw new OntologyError("syntax", `OBO line ${stanza.line}: ${quote(stanza.id)} is not a term id.`);
  }
  return {
    id: stanza.id,
    label: stanza.label ?? "",
    parents: [...stanza.parents],
    obsolete: stanza.obsolete,
    ...(stanza.replacedBy === undefined ? {} : { replacedBy: stanza.replacedBy }),
    synonyms: stanza.synonyms,
  };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
