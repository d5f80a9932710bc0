// Just enough of a TypeScript lexer to find imports and exports without being fooled by comments, strings, templates and regular
// expressions. The compiler in use has no API, and type-only imports must be seen, so stripping the types first is no way either.

const WORD = /[\p{L}\p{N}_$]+/uy;
// After one of these a slash starts a regular expression, not a division.
const BEFORE_REGEX = new Set([
  "return",
  "typeof",
  "case",
  "do",
  "else",
  "in",
  "of",
  "void",
  "delete",
  "throw",
  "new",
  "await",
  "yield",
]);

function endOf(text, mark, from) {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + mark.length;
}

function endOfQuoted(text, start) {
  const quote = text[start];
  let at = start + 1;
  while (at < text.length && text[at] !== quote && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function endOfRegex(text, start) {
  let inClass = false;
  let at = start + 1;
  for (; at < text.length && text[at] !== "\n"; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "[") inClass = true;
    else if (text[at] === "]") inClass = false;
    else if (text[at] === "/" && !inClass) break;
  }
  return at + 1;
}

function startsRegex(previous) {
  if (previous === undefined) return true;
  if (previous.kind === "word") return BEFORE_REGEX.has(previous.text);
  return (
    previous.kind === "punctuation" && previous.text !== ")" && previous.text !== "]" && previous.text !== "}"
  );
}

/**
 * Words, strings (with their unquoted text), and single punctuation characters of a source text, each with its line (from 1).
 * The code inside `${…}` of a template is included; the template's own text is one `template` token.
 * @returns {{kind: "word" | "string" | "template" | "punctuation", text: string, line: number}[]}
 */
export function tokenize(text) {
  const tokens = [];
  // For each template being read: how many braces are open inside its current `${`.
  const templates = [];
  let at = text.startsWith("#!") ? text.indexOf("\n") : 0;
  let line = 1;
  let counted = 0;
  const push = (kind, value) => {
    for (; counted < at; counted++) if (text[counted] === "\n") line++;
    tokens.push({ kind, text: value, line });
  };
  const readTemplate = (start) => {
    at = start;
    while (at < text.length && text[at] !== "`" && !text.startsWith("${", at))
      at += text[at] === "\\" ? 2 : 1;
    if (text[at] === "$") templates.push(0);
    at += text[at] === "$" ? 2 : 1;
  };

  while (at >= 0 && at < text.length) {
    const char = text[at];
    WORD.lastIndex = at;
    if (/\s/.test(char)) at++;
    else if (text.startsWith("//", at)) at = endOf(text, "\n", at);
    else if (text.startsWith("/*", at)) at = endOf(text, "*/", at + 2);
    else if (char === '"' || char === "'") {
      const end = endOfQuoted(text, at);
      push("string", text.slice(at + 1, end - 1));
      at = end;
    } else if (char === "`") {
      push("template", "");
      readTemplate(at + 1);
    } else if (char === "}" && templates.at(-1) === 0) {
      templates.pop();
      readTemplate(at + 1);
    } else if (char === "/" && startsRegex(tokens.at(-1))) {
      push("template", "");
      at = endOfRegex(text, at);
    } else if (WORD.test(text)) {
      push("word", text.slice(at, WORD.lastIndex));
      at = WORD.lastIndex;
    } else {
      if (templates.length > 0) templates.push(templates.pop() + (char === "{" ? 1 : char === "}" ? -1 : 0));
      push("punctuation", char);
      at++;
    }
  }
  return tokens;
}
