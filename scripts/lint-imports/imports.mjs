import { tokenize } from "./tokenize.mjs";

const is = (token, text) => token !== undefined && token.kind !== "string" && token.text === text;

/** From an `import` or `export` with braces, a star or names: the index of the string after its `from`, or -1. */
function fromClause(tokens, start) {
  for (let at = start; at < tokens.length && !is(tokens[at], ";"); at++) {
    if (is(tokens[at], "from") && tokens[at + 1]?.kind === "string") return at + 1;
    // A new statement without a semicolon before it.
    if (at > start && (is(tokens[at], "import") || is(tokens[at], "export") || is(tokens[at], "=")))
      return -1;
  }
  return -1;
}

/** `import type …`, but not a default import that is called `type`. */
const isTypeOnly = (tokens, at) =>
  is(tokens[at], "type") && !is(tokens[at + 1], "from") && !is(tokens[at + 1], ",");

function reexport(tokens, at) {
  const next = isTypeOnly(tokens, at + 1) ? at + 2 : at + 1;
  if (is(tokens[next], "*")) return fromClause(tokens, next);
  if (!is(tokens[next], "{")) return -1;
  let close = next;
  while (close < tokens.length && !is(tokens[close], "}")) close++;
  return is(tokens[close + 1], "from") && tokens[close + 2]?.kind === "string" ? close + 2 : -1;
}

/** What an `import` token at `at` names: static, side effect only, `import("…")` as a call or inside a type, `import.meta.resolve("…")`. */
function importSource(tokens, at) {
  const next = tokens[at + 1];
  if (next?.kind === "string") return at + 1;
  if (is(next, "(")) return tokens[at + 2]?.kind === "string" ? at + 2 : -1;
  if (is(next, ".")) return is(tokens[at + 4], "resolve") && tokens[at + 6]?.kind === "string" ? at + 6 : -1;
  if (next?.kind !== "word" && !is(next, "{") && !is(next, "*")) return -1;
  return fromClause(tokens, at + 1);
}

/**
 * Everything a source text imports or re-exports, and the lines of its default exports.
 * @returns {{imports: {specifier: string, line: number, typeOnly: boolean}[], defaultExports: number[]}}
 */
export function readImports(text) {
  const tokens = tokenize(text);
  const imports = [];
  const defaultExports = [];
  const add = (index, typeOnly) => {
    if (index >= 0) imports.push({ specifier: tokens[index].text, line: tokens[index].line, typeOnly });
  };
  tokens.forEach((token, at) => {
    if (token.kind !== "word" || is(tokens[at - 1], ".")) return;
    if (token.text === "import") add(importSource(tokens, at), isTypeOnly(tokens, at + 1));
    else if (token.text === "require" && is(tokens[at + 1], "(") && tokens[at + 2]?.kind === "string")
      add(at + 2, false);
    else if (token.text === "export") {
      if (exportsDefault(tokens, at)) defaultExports.push(token.line);
      add(reexport(tokens, at), isTypeOnly(tokens, at + 1));
    }
  });
  return { imports, defaultExports };
}

/** `export default …`, or a name exported `as default`. */
function exportsDefault(tokens, at) {
  if (is(tokens[at + 1], "default")) return true;
  if (!is(tokens[at + 1], "{")) return false;
  for (let index = at + 2; index < tokens.length && !is(tokens[index], "}"); index++)
    if (is(tokens[index], "as") && is(tokens[index + 1], "default")) return true;
  return false;
}

const TYPE_STARTS = new Set(["interface", "declare"]);

/** Whether a module is nothing but types: no statement of it is left at run time. */
export function isTypesOnly(text) {
  const tokens = tokenize(text);
  let depth = 0;
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text: word } = tokens[at];
    if (kind === "punctuation") depth += "{([".includes(word) ? 1 : "})]".includes(word) ? -1 : 0;
    if (depth > 0 || kind !== "word" || is(tokens[at - 1], ".")) continue;
    if (["const", "let", "var", "function", "class", "enum", "async"].includes(word)) return false;
    if (word === "import" && !is(tokens[at + 1], "(") && !isTypeOnly(tokens, at + 1)) return false;
    if (word !== "export") continue;
    const next = tokens[at + 1];
    const emptyExport = is(next, "{") && is(tokens[at + 2], "}");
    if (!is(next, "type") && !TYPE_STARTS.has(next?.text) && !emptyExport) return false;
  }
  return tokens.length > 0;
}
