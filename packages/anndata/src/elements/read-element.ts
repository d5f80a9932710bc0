import { AnnDataError } from "../errors.ts";
import { columnsOf, indexOf, oldCategories } from "../frame.ts";
import { LazyMap } from "../lazy-map.ts";
import { booleanAttribute, plainNumbers, shapeAttribute, stringAttribute } from "../source.ts";
import type { ArrayInfo, Source } from "../storage.ts";
import type {
  ArraySource,
  DataFrameElement,
  Element,
  NullableElement,
  RawNode,
  SparseElement,
} from "./element.ts";

/** What bounds the walk through a file whose links may form anything. */
interface Walk {
  source: Source;
  /** Real paths of the groups above, so that a circle is seen. */
  parents: readonly string[];
  /** Shared by the whole walk. */
  budget: { most: number; left: number };
}

/** Mappings in mappings. pandas, scanpy and squidpy stay below 8. */
const maxDepth = 64;
/** Elements opened from one call; links make a small file look like a big one. */
const maxElements = 1_000_000;

/**
 * One element with its exact dtype and encoding. Files written before 0.8 are read as what their parts are today: codes with
 * categories become a categorical, `h5sparse_format` a sparse matrix, strings of one element a string.
 *
 * @throws AnnDataError "not-found" | "invalid" | "unsupported" | "refused-link" (a circle of links)
 */
export function readElementFrom(source: Source, where: string): Element {
  const most = Math.min(maxElements, source.mostObjects ?? maxElements);
  return read({ source, parents: [], budget: { most, left: most } }, where);
}

function read(walk: Walk, where: string): Element {
  const { source } = walk;
  spend(walk, where);
  const kind = source.kind(where);
  if (kind === undefined) throw new AnnDataError("not-found", `${source.path}: there is no ${where}`);
  if (kind === "dataset") return readDataset(walk, where);
  if (kind === "group") return readGroup(walk, where);
  throw new AnnDataError("unsupported", `${where} is a named datatype`);
}

function spend(walk: Walk, where: string): void {
  if (--walk.budget.left >= 0) return;
  throw new AnnDataError(
    "too-large",
    `${where}: more than ${walk.budget.most} elements; do links repeat them?`,
  );
}

function enter(walk: Walk, where: string): Walk {
  const real = walk.source.realPath(where) ?? where;
  if (walk.parents.includes(real)) {
    throw new AnnDataError("refused-link", `${where} links back to ${real}, which it stands in`);
  }
  if (walk.parents.length >= maxDepth) {
    throw new AnnDataError("too-large", `${where} is nested more than ${maxDepth} deep`);
  }
  return { ...walk, parents: [...walk.parents, real] };
}

/** @throws AnnDataError "invalid" when it holds nothing at all */
export function arrayAt(source: Source, where: string): ArraySource {
  const info = source.dataset(where);
  if (info.shape === undefined) throw new AnnDataError("invalid", `${where} holds nothing`);
  return arrayFrom(source, info, info.shape);
}

function arrayFrom(source: Source, info: ArrayInfo, shape: readonly number[]): ArraySource {
  return {
    type: info.type,
    shape,
    ...(info.chunks?.[0] === undefined ? {} : { chunkRows: info.chunks[0] }),
    read: (start, end) => source.read(info, start, end),
  };
}

function readDataset(walk: Walk, where: string): Element {
  const { source } = walk;
  const encoding = stringAttribute(source, where, "encoding-type");
  const info = source.dataset(where);
  if (encoding === "null" || info.shape === undefined) return { encoding: "null" };
  const array = arrayFrom(source, info, info.shape);
  switch (encoding) {
    case "array":
    case "numeric-scalar":
    case "string-array":
    case "rec-array":
    case "string":
    case "":
    case undefined:
      return plainElement(array, encoding, where);
    default:
      return { encoding: "unknown", encodingType: encoding, node: rawNode(walk, where) };
  }
}

/** What the values are decides, as files name the encoding of strings in several ways or not at all. */
function plainElement(array: ArraySource, encoding: string | undefined, where: string): Element {
  const { type, shape } = array;
  if (type.kind === "string") {
    // Fixed-length strings of one element are how versions before 0.7 wrote a string.
    const old = !encoding && type.size !== "variable" && shape.length === 1 && shape[0] === 1;
    if (shape.length > 0 && !old) return { encoding: "string-array", array };
    const [value] = array.read() as string[];
    if (value === undefined) throw new AnnDataError("invalid", `${where} holds no string`);
    return { encoding: "string", value };
  }
  if (shape.length === 0) return { encoding: "numeric-scalar", array };
  // A compound of one kind of number is a complex number.
  if (type.kind === "compound" && encoding !== "array") return { encoding: "rec-array", array };
  return { encoding: "array", array };
}

function readGroup(outside: Walk, where: string): Element {
  const walk = enter(outside, where);
  const { source } = walk;
  const encoding = stringAttribute(source, where, "encoding-type") || undefined;
  const has = (name: string) => source.kind(`${where}/${name}`) !== undefined;
  switch (encoding) {
    case "csr_matrix":
    case "csc_matrix":
      return readSparse(source, where, encoding);
    case "categorical":
      return readCategorical(walk, where);
    case "nullable-integer":
    case "nullable-boolean":
    case "nullable-string-array":
      return readNullable(source, where, encoding);
    case "dataframe":
      return readFrame(walk, where);
    case "awkward-array":
      return readAwkward(source, where);
    case "dict":
    case "anndata":
    case "raw":
      return readDict(walk, where, encoding);
    case undefined: {
      const old = stringAttribute(source, where, "h5sparse_format");
      if (old === "csr" || old === "csc") return readSparse(source, where, `${old}_matrix`);
      const frame =
        source.attribute(where, "_index") !== undefined && source.attribute(where, "column-order");
      if (frame) return readFrame(walk, where);
      return has("codes") && has("categories") && source.attribute(where, "ordered") !== undefined
        ? readCategorical(walk, where)
        : readDict(walk, where, "dict");
    }
    default:
      return { encoding: "unknown", encodingType: encoding, node: rawNode(outside, where) };
  }
}

function readDict(walk: Walk, where: string, encoding: "dict" | "anndata" | "raw"): Element {
  const names = walk.source.children(where);
  return { encoding, entries: new LazyMap(names, (name) => read(walk, `${where}/${name}`)) };
}

function readSparse(source: Source, where: string, encoding: SparseElement["encoding"]): SparseElement {
  const shape = shapeAttribute(source, where, "shape") ?? shapeAttribute(source, where, "h5sparse_shape");
  if (shape === undefined)
    throw new AnnDataError("invalid", `${where} has no attribute shape (or h5sparse_shape)`);
  const [indptr, indices, data] = ["indptr", "indices", "data"].map((name) => {
    const array = arrayAt(source, `${where}/${name}`);
    if (array.shape.length === 1) return array;
    throw new AnnDataError("invalid", `${where}/${name} has shape [${array.shape}], expected one axis`);
  }) as [ArraySource, ArraySource, ArraySource];
  const major = encoding === "csr_matrix" ? shape[0] : shape[1];
  if (indptr.shape[0] !== major + 1) {
    throw new AnnDataError(
      "invalid",
      `${where}/indptr has ${indptr.shape[0]} entries, expected ${major + 1}`,
    );
  }
  if (indices.shape[0] !== data.shape[0]) {
    throw new AnnDataError(
      "invalid",
      `${where}/indices has ${indices.shape[0]} entries, ${where}/data has ${data.shape[0]}`,
    );
  }
  return { encoding, shape, indptr, indices, data };
}

function readCategorical(walk: Walk, where: string): Element {
  const { source } = walk;
  return {
    encoding: "categorical",
    codes: arrayAt(source, `${where}/codes`),
    categories: read(walk, `${where}/categories`),
    ordered: booleanAttribute(source, where, "ordered"),
  };
}

function readNullable(source: Source, where: string, encoding: NullableElement["encoding"]): NullableElement {
  const naValue = stringAttribute(source, where, "na-value");
  return {
    encoding,
    values: arrayAt(source, `${where}/values`),
    mask: arrayAt(source, `${where}/mask`),
    ...(naValue === undefined ? {} : { naValue }),
  };
}

function readFrame(walk: Walk, where: string): DataFrameElement {
  const { source } = walk;
  const indexName = indexOf(source, where);
  const column = (name: string): Element => {
    const at = `${where}/${name}`;
    const categories = oldCategories(source, where, name);
    if (categories === undefined || source.kind(at) !== "dataset") return read(walk, at);
    return {
      encoding: "categorical",
      codes: arrayAt(source, at),
      categories: asArray(read(walk, categories)),
      ordered: booleanAttribute(source, categories, "ordered"),
    };
  };
  return {
    encoding: "dataframe",
    indexName,
    index: asArray(column(indexName)),
    columns: new LazyMap(columnsOf(source, where, indexName), column),
  };
}

/** One category of old is a string of one element, which is not to be taken for a scalar. */
export function asArray(element: Element): Element {
  if (element.encoding !== "string") return element;
  const { value } = element;
  return {
    encoding: "string-array",
    array: {
      type: { kind: "string", size: "variable", utf8: true },
      shape: [1],
      read: (start = 0, end = 1) => [value].slice(start, end),
    },
  };
}

function readAwkward(source: Source, where: string): Element {
  const form = stringAttribute(source, where, "form");
  const length = source.attribute(where, "length")?.values;
  const count = ArrayBuffer.isView(length)
    ? plainNumbers(length, `${where}, attribute length`)[0]
    : undefined;
  if (form === undefined || count === undefined || !(Number.isSafeInteger(count) && count >= 0)) {
    throw new AnnDataError("invalid", `${where} is an awkward array without a form or a length`);
  }
  const buffers = new LazyMap(source.children(where), (name) => arrayAt(source, `${where}/${name}`));
  return { encoding: "awkward-array", form, length: count, buffers };
}

/** As it lies in the file. */
function rawNode(walk: Walk, where: string): RawNode {
  spend(walk, where);
  const { source } = walk;
  const attributes = new Map(
    source.attributeNames(where).map((name) => [name, source.attribute(where, name)!]),
  );
  if (source.kind(where) === "dataset") {
    const info = source.dataset(where);
    return info.shape === undefined
      ? { attributes }
      : { attributes, array: arrayFrom(source, info, info.shape) };
  }
  const inside = enter(walk, where);
  const children = new LazyMap(source.children(where), (name) => rawNode(inside, `${where}/${name}`));
  return { attributes, children };
}
