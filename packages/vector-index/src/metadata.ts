import { checkColumns } from "./checks.ts";
import { VectorIndexError } from "./errors.ts";
import { damaged } from "./files.ts";
import { isRecord } from "./manifest.ts";
import type { Filter, MetadataColumn } from "./types.ts";

/**
 * Joins the category lists of metadata.json with the code arrays.
 * @throws VectorIndexError `corrupt_index`
 */
export function assembleColumns(
  json: ArrayBuffer,
  names: readonly string[],
  codes: readonly Int32Array[],
  size: number,
  path: string,
): MetadataColumn[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(json).toString("utf8"));
  } catch (cause) {
    throw damaged(path, "is not JSON", cause);
  }
  const listed = isRecord(parsed) && Array.isArray(parsed.columns) ? (parsed.columns as unknown[]) : [];
  const columns = names.map((name, i) => {
    const entry = listed[i];
    if (!isRecord(entry) || entry.name !== name || !isStrings(entry.categories)) {
      throw damaged(path, `has no categories for column "${name}"`);
    }
    return { name, codes: codes[i]!, categories: entry.categories };
  });
  try {
    checkColumns(columns, size);
  } catch (cause) {
    throw damaged(path, `does not fit its codes (${(cause as Error).message})`, cause);
  }
  return columns;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** @throws VectorIndexError `unknown_column`, naming the columns there are */
export function findColumn(columns: readonly MetadataColumn[], name: string): MetadataColumn {
  const column = columns.find((candidate) => candidate.name === name);
  if (column) return column;
  const known = columns.map((candidate) => candidate.name).join(", ") || "none";
  throw new VectorIndexError(
    "unknown_column",
    `the index has no metadata column "${name}"; it has: ${known}`,
  );
}

/** Ascending positions of the vectors that pass every filter, or null when there is nothing to filter by. */
export function matchingPositions(
  columns: readonly MetadataColumn[],
  filters: readonly Filter[],
  size: number,
): Int32Array | null {
  if (filters.length === 0) return null;
  const keep = new Uint8Array(size).fill(1);
  for (const filter of filters) {
    const { codes, categories } = findColumn(columns, filter.column);
    const wanted = new Set(filter.in);
    const allowed = Uint8Array.from(categories, (category) => (wanted.has(category) ? 1 : 0));
    // A missing value is code −1, which reads as undefined: it never matches.
    for (let i = 0; i < size; i++) if (allowed[codes[i]!] !== 1) keep[i] = 0;
  }
  const positions = new Int32Array(keep.reduce((count, flag) => count + flag, 0));
  let at = 0;
  for (let i = 0; i < size; i++) if (keep[i] === 1) positions[at++] = i;
  return positions;
}
