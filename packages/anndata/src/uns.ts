import { isBooleanEnum } from "./columns.ts";
import { AnnDataError } from "./errors.ts";
import type { ArrayInfo, Source, Values, ValueType } from "./storage.ts";

/** Bounds of what `uns()` returns: it is for reading settings and labels, not for moving arrays. */
const limits = { depth: 32, entries: 10_000, arrayElements: 1_000, stringChars: 100_000 };

/** A group as plain JSON. Links that lead out of the file or back to a parent become null, big arrays `{ shape, dtype }`. */
export function readTree(source: Source, where: string): unknown {
  let left = limits.entries;
  const visit = (path: string, parents: readonly string[]): unknown => {
    if (--left < 0) return null;
    const real = source.realPath(path);
    if (real === undefined || parents.includes(real) || parents.length > limits.depth) return null;
    const kind = source.kind(real);
    if (kind === "dataset") return readLeaf(source, source.dataset(real));
    if (kind !== "group") return null;
    const entries: [string, unknown][] = [];
    for (const name of source.children(real)) {
      if (left <= 0) break;
      entries.push([name, tolerate(() => visit(`${real}/${name}`, [...parents, real]))]);
    }
    return Object.fromEntries(entries);
  };
  return source.kind(where) === undefined ? {} : visit(where, []);
}

/** One damaged or refused entry must not hide the others. */
function tolerate(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof AnnDataError && error.tag !== "closed") return null;
    throw error;
  }
}

function readLeaf(source: Source, info: ArrayInfo): unknown {
  const { shape } = info;
  if (shape === undefined) return null;
  const elements = shape.reduce((product, dim) => product * dim, 1);
  if (elements > limits.arrayElements || shape.length > 2) return { shape, dtype: typeName(info.type) };
  const list = toList(source.read(info), info.type);
  if (list === undefined) return { shape, dtype: typeName(info.type) };
  if (shape.length === 0) return list[0];
  if (shape.length === 1 || info.type.kind === "compound") return list;
  const [rows, columns] = shape as [number, number];
  return Array.from({ length: rows }, (_, row) => list.slice(row * columns, (row + 1) * columns));
}

function toList(values: Values, type: ValueType): unknown[] | undefined {
  if (values instanceof Map && type.kind === "compound") {
    const columns = type.members.map(
      (member) => [member.name, toList(values.get(member.name) ?? [], member.type) ?? []] as const,
    );
    const rows = Math.max(0, ...columns.map(([, column]) => column.length));
    return Array.from({ length: rows }, (_, i) =>
      Object.fromEntries(columns.map(([name, column]) => [name, column[i] ?? null])),
    );
  }
  if (Array.isArray(values)) return values.map((value) => value.slice(0, limits.stringChars));
  if (!ArrayBuffer.isView(values)) return undefined;
  const numbers = Array.from(values as Float64Array, Number);
  if (isBooleanEnum(type)) return numbers.map((value) => value !== 0);
  return numbers.map((value) => (Number.isFinite(value) ? value : null));
}

function typeName(type: ValueType): string {
  if (type.kind === "int") return `${type.signed ? "int" : "uint"}${type.size * 8}`;
  if (type.kind === "float") return `float${type.size * 8}`;
  return isBooleanEnum(type) ? "bool" : type.kind;
}
