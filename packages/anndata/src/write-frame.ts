import type { H5Writer } from "@cytomesh/hdf5";
import { AnnDataError } from "./errors.ts";
import type { CategoricalColumn, Column, FrameInput } from "./types.ts";
import {
  booleanType,
  checkKey,
  convertNumbers,
  type Deflate,
  dtypeType,
  encoding,
  writeArray,
  writeStringArray,
} from "./write-elements.ts";

/** obs or var: encoding "dataframe" 0.2.0. */
export function writeFrame(out: H5Writer, where: string, frame: FrameInput, deflate: Deflate): void {
  const indexName = frame.indexName ?? "_index";
  const names = Object.keys(frame.columns);
  for (const name of [indexName, ...names]) checkKey(where, name);
  if (names.includes(indexName) || names.includes("_index")) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: a column has the name of the index, ${JSON.stringify(indexName)}`,
    );
  }
  out.group(where);
  encoding(out, where, "dataframe", "0.2.0");
  out.attribute(where, "_index", indexName);
  // Without columns anndata itself writes zero floats, and readers expect that.
  const order =
    names.length === 0
      ? { shape: [0], type: { kind: "float", size: 8 } as const, values: new Float64Array(0) }
      : {
          shape: [names.length],
          type: { kind: "string", size: "variable", utf8: true } as const,
          values: names,
        };
  out.attribute(where, "column-order", order);
  writeStringArray(out, `${where}/${indexName}`, frame.index, deflate);
  for (const name of names)
    writeColumn(out, `${where}/${name}`, frame.columns[name]!, frame.index.length, deflate);
}

function writeColumn(out: H5Writer, where: string, column: Column, length: number, deflate: Deflate): void {
  checkLengths(column, where, length);
  if (column.kind === "categorical") writeCategorical(out, where, column, deflate);
  else if (column.kind === "boolean") writeBoolean(out, where, column, deflate);
  else if (column.kind === "number") writeNumber(out, where, column, deflate);
  else if (column.values.includes(null)) writeCategorical(out, where, fromStrings(column.values), deflate);
  else writeStringArray(out, where, column.values as string[], deflate);
}

function checkLengths(column: Column, where: string, length: number): void {
  const found = column.kind === "categorical" ? column.codes.length : column.values.length;
  const mask = "mask" in column ? (column.mask?.length ?? length) : length;
  if (found !== length || mask !== length) {
    throw new AnnDataError(
      "invalid-argument",
      `${where} has ${found !== length ? found : mask} rows, the index has ${length}`,
    );
  }
}

function writeBoolean(
  out: H5Writer,
  where: string,
  column: Extract<Column, { kind: "boolean" }>,
  deflate: Deflate,
): void {
  const values = Int8Array.from(column.values, (value) => (value === 0 ? 0 : 1));
  const at =
    column.mask === undefined ? where : writeMasked(out, where, "nullable-boolean", column.mask, deflate);
  writeArray(out, at, booleanType, [values.length], values, deflate);
}

function writeNumber(
  out: H5Writer,
  where: string,
  column: Extract<Column, { kind: "number" }>,
  deflate: Deflate,
): void {
  const type = dtypeType(column.dtype);
  const { mask } = column;
  // Floats have their own missing value.
  const missing = type.kind === "float" ? Number.NaN : 0;
  const plain =
    mask === undefined
      ? column.values
      : Float64Array.from(column.values, (value, i) => (mask[i] ? missing : value));
  const values = convertNumbers(plain, column.dtype, where);
  const nullable = mask !== undefined && type.kind !== "float";
  const at = nullable ? writeMasked(out, where, "nullable-integer", mask, deflate) : where;
  writeArray(out, at, type, [values.length], values, deflate);
}

/** @returns where the values belong */
function writeMasked(
  out: H5Writer,
  where: string,
  encodingType: string,
  mask: Uint8Array,
  deflate: Deflate,
): string {
  out.group(where);
  encoding(out, where, encodingType, "0.1.0");
  const flags = Int8Array.from(mask, (flag) => (flag === 0 ? 0 : 1));
  writeArray(out, `${where}/mask`, booleanType, [mask.length], flags, deflate);
  return `${where}/values`;
}

function writeCategorical(out: H5Writer, where: string, column: CategoricalColumn, deflate: Deflate): void {
  const { codes, categories } = column;
  const wrong = codes.findIndex((code) => code < -1 || code >= categories.length);
  if (wrong >= 0) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: code ${codes[wrong]} at row ${wrong}, but there are ${categories.length} categories`,
    );
  }
  if (new Set(categories).size !== categories.length) {
    throw new AnnDataError("invalid-argument", `${where}: categories repeat; pandas refuses to read that`);
  }
  out.group(where);
  encoding(out, where, "categorical", "0.2.0");
  out.attribute(where, "ordered", column.ordered);
  writeStringArray(out, `${where}/categories`, categories, deflate);
  const dtype = categories.length < 128 ? "int8" : categories.length < 32_768 ? "int16" : "int32";
  writeArray(
    out,
    `${where}/codes`,
    dtypeType(dtype),
    [codes.length],
    convertNumbers(codes, dtype, where),
    deflate,
  );
}

function fromStrings(values: readonly (string | null)[]): CategoricalColumn {
  const categories = [...new Set(values.filter((value) => value !== null))].sort();
  const codeOf = new Map(categories.map((name, code) => [name, code]));
  const codes = Int32Array.from(values, (value) => (value === null ? -1 : codeOf.get(value)!));
  return { kind: "categorical", codes, categories, ordered: false };
}
