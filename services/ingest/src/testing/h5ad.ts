import { createH5, type H5Numbers, type H5Type, type H5Writer } from "@cytomesh/hdf5";

const types = {
  text: { kind: "string", size: "variable", utf8: true },
  int32: { kind: "int", size: 4, signed: true },
  int64: { kind: "int", size: 8, signed: true },
  float32: { kind: "float", size: 4 },
} as const satisfies Record<string, H5Type>;

/** How a matrix lies in the file. */
export type Layout = "csr" | "csc" | "dense";

/** A matrix of a file: dense rows and how they are laid out. */
export interface MatrixInput {
  readonly rows: readonly (readonly number[])[];
  readonly layout: Layout;
}

/** The file of a test; frames have text columns alone. */
export interface FileInput {
  readonly cells: readonly string[];
  readonly genes: readonly string[];
  readonly obs?: Record<string, readonly string[]>;
  readonly var?: Record<string, readonly string[]>;
  readonly x?: MatrixInput;
  readonly raw?: MatrixInput & { readonly genes: readonly string[] };
  readonly layers?: Record<string, MatrixInput>;
}

/** Write an AnnData file in a layout that the mesh reads but never writes itself. */
export function writeLayout(path: string, input: FileInput): void {
  const file = createH5(path);
  encode(file, "/", "anndata", "0.1.0");
  frame(file, "/obs", input.cells, input.obs ?? {});
  frame(file, "/var", input.genes, input.var ?? {});
  if (input.x !== undefined) matrix(file, "/X", input.x);
  if (input.raw !== undefined) {
    file.group("/raw");
    encode(file, "/raw", "raw", "0.1.0");
    matrix(file, "/raw/X", input.raw);
    frame(file, "/raw/var", input.raw.genes, {});
  }
  file.group("/layers");
  encode(file, "/layers", "dict", "0.1.0");
  for (const [name, layer] of Object.entries(input.layers ?? {})) matrix(file, `/layers/${name}`, layer);
  file.finish();
}

function encode(file: H5Writer, path: string, type: string, version: string): void {
  file.attribute(path, "encoding-type", type);
  file.attribute(path, "encoding-version", version);
}

function frame(
  file: H5Writer,
  path: string,
  index: readonly string[],
  columns: Record<string, readonly string[]>,
): void {
  file.group(path);
  encode(file, path, "dataframe", "0.2.0");
  const names = Object.keys(columns);
  file.attribute(path, "_index", "_index");
  file.attribute(path, "column-order", { shape: [names.length], type: types.text, values: names });
  for (const [name, values] of [["_index", index] as const, ...Object.entries(columns)]) {
    file.dataset(`${path}/${name}`, { type: types.text, shape: [values.length] }, [...values]);
    encode(file, `${path}/${name}`, "string-array", "0.2.0");
  }
}

function numbers(file: H5Writer, path: string, type: H5Type, shape: number[], values: H5Numbers): void {
  file.dataset(path, { type, shape }, values);
  encode(file, path, "array", "0.2.0");
}

function matrix(file: H5Writer, path: string, { rows, layout }: MatrixInput): void {
  const nCols = rows[0]?.length ?? 0;
  if (layout === "dense") {
    numbers(file, path, types.float32, [rows.length, nCols], Float32Array.from(rows.flat()));
    return;
  }
  const major =
    layout === "csr"
      ? rows
      : Array.from({ length: nCols }, (_, column) => rows.map((row) => row[column] ?? 0));
  const entries = major.map((line) => [...line.entries()].filter(([, value]) => value !== 0));
  const indptr = new Int32Array(major.length + 1);
  for (const [i, line] of entries.entries()) indptr[i + 1] = indptr[i]! + line.length;
  file.group(path);
  encode(file, path, `${layout}_matrix`, "0.1.0");
  const shape = BigInt64Array.of(BigInt(rows.length), BigInt(nCols));
  file.attribute(path, "shape", { shape: [2], type: types.int64, values: shape });
  const flat = entries.flat();
  numbers(
    file,
    `${path}/data`,
    types.float32,
    [flat.length],
    Float32Array.from(flat, ([, value]) => value),
  );
  numbers(
    file,
    `${path}/indices`,
    types.int32,
    [flat.length],
    Int32Array.from(flat, ([at]) => at),
  );
  numbers(file, `${path}/indptr`, types.int32, [indptr.length], indptr);
}
