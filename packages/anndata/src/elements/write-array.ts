import { AnnDataError } from "../errors.ts";
import type { Sink, ValueType } from "../storage.ts";
import type { ArraySource } from "./element.ts";

/** Bytes of an array that are held at a time while it is copied. */
const batchBytes = 8 * 1024 * 1024;
/** A chunk is read whole, so that it is decoded once, up to this. */
const maxChunkBytes = 64 * 1024 * 1024;
/** Strings are counted as this many bytes. */
const stringBytes = 64;

/** Writes an array some rows at a time; strings become variable-length UTF-8, alone and in records. */
export async function writeArraySource(sink: Sink, where: string, array: ArraySource): Promise<void> {
  const { shape } = array;
  const layout = { type: storedType(array.type, where), shape };
  const step = batchRows(array);
  const rows = shape[0] ?? 1;
  // A record is written in one piece: it is metadata, and appending it row by row is what no sink needs to know.
  if (shape.length === 0 || step >= rows || shape.includes(0) || array.type.kind === "compound") {
    return sink.dataset(where, layout, array.read());
  }
  const target = sink.appendable(where, layout);
  for (let start = 0; start < rows; start += step) {
    await target.append(array.read(start, Math.min(rows, start + step)));
  }
}

/** Rows per batch: whole chunks where a chunk is not too big. */
export function batchRows(array: ArraySource): number {
  const rowBytes = Math.max(
    1,
    array.shape.slice(1).reduce((product, dim) => product * dim, 1) * elementBytes(array.type),
  );
  const rows = Math.max(1, Math.floor(batchBytes / rowBytes));
  const chunkRows = array.chunkRows ?? 1;
  if (chunkRows <= rows) return Math.floor(rows / chunkRows) * chunkRows;
  return chunkRows * rowBytes <= maxChunkBytes ? chunkRows : rows;
}

function elementBytes(type: ValueType): number {
  switch (type.kind) {
    case "string":
      return type.size === "variable" ? stringBytes : Math.max(1, type.size);
    case "enum":
      return type.base.size;
    case "array":
      return elementBytes(type.base) * type.dims.reduce((product, dim) => product * dim, 1);
    case "compound":
      return type.members.reduce((sum, member) => sum + elementBytes(member.type), 0);
    case "other":
      return 1;
    default:
      return type.size;
  }
}

/** What anndata stores today in place of fixed-length strings. */
function storedType(type: ValueType, where: string): ValueType {
  if (type.kind === "other") {
    throw new AnnDataError("unsupported", `${where} holds ${type.description}, which is not copied`);
  }
  if (type.kind === "string") return { kind: "string", size: "variable", utf8: true };
  if (type.kind !== "compound") return type;
  const members = type.members.map((member) => ({
    ...member,
    type: storedType(member.type, `${where}.${member.name}`),
  }));
  return { ...type, members };
}
