import type { AttributeInput, H5Numbers } from "@cytomesh/hdf5";
import { AnnDataError } from "../errors.ts";
import { checkKey } from "../keys.ts";
import type { Sink, ValueType } from "../storage.ts";
import { checkCodes, checkedIndices, checkedOffsets } from "./check.ts";
import type {
  ArraySource,
  AwkwardElement,
  CategoricalElement,
  DataFrameElement,
  Element,
  NullableElement,
  RawNode,
  SparseElement,
} from "./element.ts";
import { writeArraySource } from "./write-array.ts";

const versions = {
  array: "0.2.0",
  "string-array": "0.2.0",
  "rec-array": "0.2.0",
  "numeric-scalar": "0.2.0",
  string: "0.2.0",
  null: "0.1.0",
  csr_matrix: "0.1.0",
  csc_matrix: "0.1.0",
  categorical: "0.2.0",
  "nullable-integer": "0.1.0",
  "nullable-boolean": "0.1.0",
  "nullable-string-array": "0.1.0",
  dataframe: "0.2.0",
  dict: "0.1.0",
  anndata: "0.1.0",
  raw: "0.1.0",
  "awkward-array": "0.1.0",
} as const satisfies Record<Exclude<Element["encoding"], "unknown">, string>;

const strings: ValueType = { kind: "string", size: "variable", utf8: true };
const maxDepth = 64;

/**
 * Writes one element in its current encoding, big arrays some rows at a time. Indices, offsets and codes are checked on the way: what
 * is written can be read.
 *
 * @throws AnnDataError "invalid" (contradicts itself) | "invalid-argument" (a name that cannot be stored) | "unsupported"
 */
export async function writeElement(sink: Sink, where: string, element: Element, depth = 0): Promise<void> {
  if (depth > maxDepth) throw new AnnDataError("too-large", `${where} is nested more than ${maxDepth} deep`);
  if (element.encoding === "unknown") return writeRaw(sink, where, element.node);
  await writeKnown(sink, where, element, depth);
  encode(sink, where, element.encoding);
}

export function encode(sink: Sink, where: string, encoding: keyof typeof versions): void {
  sink.attribute(where, "encoding-type", encoding);
  sink.attribute(where, "encoding-version", versions[encoding]);
}

async function writeKnown(
  sink: Sink,
  where: string,
  element: Exclude<Element, { encoding: "unknown" }>,
  depth: number,
): Promise<void> {
  switch (element.encoding) {
    case "array":
    case "string-array":
    case "rec-array":
    case "numeric-scalar":
      return writeArraySource(sink, where, element.array);
    case "string":
      return sink.dataset(where, { type: strings, shape: [] }, [element.value]);
    case "null":
      return sink.dataset(where, { type: { kind: "float", size: 4 }, shape: undefined }, new Float32Array(0));
    case "csr_matrix":
    case "csc_matrix":
      return writeSparse(sink, where, element);
    case "categorical":
      return writeCategorical(sink, where, element, depth);
    case "nullable-integer":
    case "nullable-boolean":
    case "nullable-string-array":
      return writeNullable(sink, where, element);
    case "dataframe":
      return writeFrameElement(sink, where, element, depth);
    case "awkward-array":
      return writeAwkward(sink, where, element);
    case "dict":
    case "anndata":
    case "raw":
      if (where !== "/") sink.group(where);
      for (const [name, entry] of element.entries) {
        checkKey(where, name);
        await writeElement(sink, child(where, name), entry, depth + 1);
      }
  }
}

function child(where: string, name: string): string {
  return where === "/" ? `/${name}` : `${where}/${name}`;
}

/** An array with the encoding that its values have. */
async function writeLeaf(sink: Sink, where: string, array: ArraySource): Promise<void> {
  await writeArraySource(sink, where, array);
  encode(sink, where, array.type.kind === "string" ? "string-array" : "array");
}

async function writeSparse(sink: Sink, where: string, element: SparseElement): Promise<void> {
  sink.group(where);
  const [rows, columns] = element.shape;
  sink.attribute(where, "shape", {
    shape: [2],
    type: { kind: "int", size: 8, signed: true },
    values: BigInt64Array.of(BigInt(rows), BigInt(columns)),
  });
  const minor = element.encoding === "csr_matrix" ? columns : rows;
  const nnz = element.data.shape[0]!;
  await writeLeaf(sink, `${where}/indptr`, checkedOffsets(element.indptr, nnz, `${where}/indptr`));
  await writeLeaf(sink, `${where}/indices`, checkedIndices(element.indices, minor, `${where}/indices`));
  await writeLeaf(sink, `${where}/data`, element.data);
}

async function writeCategorical(
  sink: Sink,
  where: string,
  element: CategoricalElement,
  depth: number,
): Promise<void> {
  sink.group(where);
  sink.attribute(where, "ordered", element.ordered);
  await writeElement(sink, `${where}/categories`, element.categories, depth + 1);
  const count = lengthOf(element.categories, `${where}/categories`);
  await writeLeaf(sink, `${where}/codes`, checkCodes(element.codes, count, `${where}/codes`));
}

function lengthOf(element: Element, where: string): number {
  const array = "array" in element ? element.array : "values" in element ? element.values : undefined;
  if (array?.shape.length === 1) return array.shape[0]!;
  throw new AnnDataError("invalid", `${where} is ${element.encoding}, expected an array of one axis`);
}

async function writeNullable(sink: Sink, where: string, element: NullableElement): Promise<void> {
  sink.group(where);
  if (element.naValue !== undefined) sink.attribute(where, "na-value", element.naValue);
  if (element.values.shape[0] !== element.mask.shape[0]) {
    throw new AnnDataError(
      "invalid",
      `${where} has ${element.values.shape[0]} values and a mask of ${element.mask.shape[0]}`,
    );
  }
  await writeLeaf(sink, `${where}/values`, element.values);
  await writeLeaf(sink, `${where}/mask`, element.mask);
}

async function writeFrameElement(
  sink: Sink,
  where: string,
  element: DataFrameElement,
  depth: number,
): Promise<void> {
  const names = [...element.columns.keys()];
  sink.group(where);
  frameAttributes(sink, where, element.indexName, names);
  await writeElement(sink, `${where}/${element.indexName}`, element.index, depth + 1);
  for (const name of names) {
    checkKey(where, name);
    // The index may be a column of its own name too; it is stored once.
    if (name === element.indexName) continue;
    await writeElement(sink, `${where}/${name}`, element.columns.get(name)!, depth + 1);
  }
}

/** Names the index and the columns. Without columns anndata itself writes zero floats, and readers expect that. */
export function frameAttributes(
  sink: Sink,
  where: string,
  indexName: string,
  names: readonly string[],
): void {
  sink.attribute(where, "_index", indexName);
  const order: AttributeInput =
    names.length === 0
      ? { shape: [0], type: { kind: "float", size: 8 }, values: new Float64Array(0) }
      : { shape: [names.length], type: strings, values: names };
  sink.attribute(where, "column-order", order);
}

async function writeAwkward(sink: Sink, where: string, element: AwkwardElement): Promise<void> {
  sink.group(where);
  sink.attribute(where, "form", element.form);
  sink.attribute(where, "length", element.length);
  for (const [name, buffer] of element.buffers) {
    checkKey(where, name);
    await writeLeaf(sink, `${where}/${name}`, buffer);
  }
}

async function writeRaw(sink: Sink, where: string, node: RawNode): Promise<void> {
  if (node.children !== undefined) sink.group(where);
  else if (node.array !== undefined) await writeArraySource(sink, where, node.array);
  else await sink.dataset(where, { type: { kind: "float", size: 4 }, shape: undefined }, new Float32Array(0));
  for (const [name, { type, shape, values }] of node.attributes) {
    if (values instanceof Map)
      throw new AnnDataError("unsupported", `${where}, attribute ${name} is a record, which is not written`);
    sink.attribute(where, name, { type: modern(type), shape, values: values as H5Numbers | string[] });
  }
  for (const [name, inner] of node.children ?? []) await writeRaw(sink, `${where}/${name}`, inner);
}

function modern(type: ValueType): ValueType {
  return type.kind === "string" ? strings : type;
}
