import type { AttributeInput, H5Numbers, H5Type, H5Writer } from "@cytomesh/hdf5";
import { logNormalize } from "./counts.ts";
import type { Study } from "./studies.ts";
import type { Column, CsrRows, Table } from "./table.ts";

/**
 * Lays a study out in an open HDF5 file as AnnData 0.8 and later write it, in the layouts that the mesh itself never
 * writes but has to read: X as CSC, X dense, or log-normalised X with the counts in raw.X.
 *
 * @see https://anndata.readthedocs.io/en/stable/fileformat-prose.html
 */
export function layOutStudy(file: H5Writer, study: Study): void {
  encode(file, "/", "anndata", "0.1.0");
  writeFrame(file, "/obs", study.obs);
  writeFrame(file, "/var", study.var);
  if (study.layout === "csc") writeSparse(file, "/X", "csc_matrix", transpose(study.x), study.x);
  else if (study.layout === "dense") writeDense(file, "/X", study.x);
  else
    writeSparse(file, "/X", "csr_matrix", study.layout === "raw" ? logNormalize(study.x) : study.x, study.x);
  if (study.layout === "raw") writeRaw(file, study);
  writeDict(file, "/uns", study.uns);
  for (const name of ["layers", "obsm", "obsp", "varm", "varp"]) writeDict(file, `/${name}`, {});
}

function writeRaw(file: H5Writer, study: Study): void {
  encode(file, group(file, "/raw"), "raw", "0.1.0");
  writeSparse(file, "/raw/X", "csr_matrix", study.x, study.x);
  // CELLxGENE: whether a feature is filtered is said of X alone.
  const { feature_is_filtered: _, ...columns } = study.var.columns;
  writeFrame(file, "/raw/var", { index: study.var.index, columns });
  writeDict(file, "/raw/varm", {});
}

const INT8: H5Type = { kind: "int", size: 1, signed: true };
const INT32: H5Type = { kind: "int", size: 4, signed: true };
const INT64: H5Type = { kind: "int", size: 8, signed: true };
const FLOAT32: H5Type = { kind: "float", size: 4 };
const TEXT: H5Type = { kind: "string", size: "variable", utf8: true };
const BOOLEAN: H5Type = {
  kind: "enum",
  base: { kind: "int", size: 1, signed: true },
  members: { FALSE: 0, TRUE: 1 },
};
const DEFLATE = { level: 4 };

function group(file: H5Writer, path: string): string {
  file.group(path);
  return path;
}

function encode(file: H5Writer, path: string, type: string, version: string): void {
  file.attribute(path, "encoding-type", type);
  file.attribute(path, "encoding-version", version);
}

function writeDict(file: H5Writer, path: string, entries: Record<string, string>): void {
  encode(file, group(file, path), "dict", "0.1.0");
  for (const [name, text] of Object.entries(entries)) {
    file.dataset(`${path}/${name}`, { type: TEXT, shape: [] }, [text]);
    encode(file, `${path}/${name}`, "string", "0.2.0");
  }
}

function writeFrame(file: H5Writer, path: string, table: Table): void {
  encode(file, group(file, path), "dataframe", "0.2.0");
  const names = Object.keys(table.columns);
  const order: AttributeInput = { shape: [names.length], type: TEXT, values: names };
  file.attribute(path, "_index", "_index");
  file.attribute(path, "column-order", order);
  writeTexts(file, `${path}/_index`, table.index);
  for (const [name, column] of Object.entries(table.columns)) writeColumn(file, `${path}/${name}`, column);
}

function writeColumn(file: H5Writer, path: string, column: Column): void {
  switch (column.kind) {
    case "string":
      writeTexts(file, path, column.values);
      break;
    case "number":
      writeNumbers(file, path, column.dtype === "float32" ? FLOAT32 : INT32, column.values);
      break;
    case "boolean":
      writeNumbers(file, path, BOOLEAN, Int8Array.from(column.values));
      break;
    case "categorical":
      encode(file, group(file, path), "categorical", "0.2.0");
      file.attribute(path, "ordered", column.ordered);
      writeTexts(file, `${path}/categories`, column.categories);
      // pandas keeps codes in the least signed integer that fits; the demo has few categories.
      writeNumbers(file, `${path}/codes`, INT8, Int8Array.from(column.codes));
  }
}

function writeTexts(file: H5Writer, path: string, values: readonly string[]): void {
  file.dataset(path, { type: TEXT, shape: [values.length] }, values);
  encode(file, path, "string-array", "0.2.0");
}

function writeNumbers(file: H5Writer, path: string, type: H5Type, values: H5Numbers): void {
  file.dataset(path, { type, shape: [values.length], deflate: DEFLATE }, values);
  encode(file, path, "array", "0.2.0");
}

function writeSparse(
  file: H5Writer,
  path: string,
  encoding: "csr_matrix" | "csc_matrix",
  matrix: CsrRows,
  shape: Pick<CsrRows, "nRows" | "nCols">,
): void {
  encode(file, group(file, path), encoding, "0.1.0");
  const values = BigInt64Array.of(BigInt(shape.nRows), BigInt(shape.nCols));
  file.attribute(path, "shape", { shape: [2], type: INT64, values });
  writeNumbers(file, `${path}/data`, FLOAT32, matrix.data);
  writeNumbers(file, `${path}/indices`, INT32, matrix.indices);
  writeNumbers(file, `${path}/indptr`, INT32, Int32Array.from(matrix.indptr));
}

function writeDense(file: H5Writer, path: string, x: CsrRows): void {
  const values = new Float32Array(x.nRows * x.nCols);
  for (let row = 0; row < x.nRows; row++) {
    for (let i = x.indptr[row]!; i < x.indptr[row + 1]!; i++)
      values[row * x.nCols + x.indices[i]!] = x.data[i]!;
  }
  file.dataset(path, { type: FLOAT32, shape: [x.nRows, x.nCols], deflate: DEFLATE }, values);
  encode(file, path, "array", "0.2.0");
}

/** The same entries by column: CSC of `x` is the CSR of its transpose. */
export function transpose(x: CsrRows): CsrRows {
  const indptr = new Float64Array(x.nCols + 1);
  for (const column of x.indices) indptr[column + 1]!++;
  for (let column = 0; column < x.nCols; column++) indptr[column + 1]! += indptr[column]!;
  const next = indptr.slice(0, x.nCols);
  const indices = new Int32Array(x.indices.length);
  const data = new Float32Array(x.data.length);
  for (let row = 0; row < x.nRows; row++) {
    for (let i = x.indptr[row]!; i < x.indptr[row + 1]!; i++) {
      const to = next[x.indices[i]!]!++;
      indices[to] = row;
      data[to] = x.data[i]!;
    }
  }
  return { nRows: x.nCols, nCols: x.nRows, indptr, indices, data };
}
