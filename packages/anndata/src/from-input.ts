import type { H5Numbers } from "@cytomesh/hdf5";
import { booleanType, convertNumbers, dtypeOfArray, dtypeType } from "./dtypes.ts";
import { arrayOf, type DataFrameElement, type DictElement, type Element } from "./elements/element.ts";
import { AnnDataError } from "./errors.ts";
import type { ValueType } from "./storage.ts";
import type {
  ArrayInput,
  BooleanColumn,
  CategoricalColumn,
  Column,
  FrameInput,
  JsonLike,
  NumberColumn,
  StringColumn,
} from "./types.ts";

export const stringType: ValueType = { kind: "string", size: "variable", utf8: true };

/** Mappings in mappings. */
const maxDepth = 32;

/** How strings with missing values are stored. */
export type MissingStrings = "categorical" | "nullable";

/** A data frame as it will stand in the file. @throws AnnDataError "invalid-argument" */
export function frameElement(frame: FrameInput, where: string, missing: MissingStrings): DataFrameElement {
  const indexName = frame.indexName ?? "_index";
  const names = Object.keys(frame.columns);
  if (names.includes(indexName) || names.includes("_index")) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: a column has the name of the index, ${JSON.stringify(indexName)}`,
    );
  }
  const columns = names.map((name) => {
    const column = frame.columns[name]!;
    checkLengths(column, `${where}/${name}`, frame.index.length);
    return [name, columnElement(column, `${where}/${name}`, missing)] as const;
  });
  return { encoding: "dataframe", indexName, index: strings(frame.index), columns: new Map(columns) };
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

function columnElement(column: Column, where: string, missing: MissingStrings): Element {
  switch (column.kind) {
    case "categorical":
      return categoricalElement(column, where);
    case "boolean":
      return booleanElement(column);
    case "number":
      return numberElement(column, where);
    case "string":
      if (!column.values.includes(null)) return strings(column.values as string[]);
      return missing === "nullable"
        ? nullableStrings(column)
        : categoricalElement(fromStrings(column), where);
  }
}

export function strings(values: readonly string[]): Element {
  return { encoding: "string-array", array: arrayOf(stringType, [values.length], values as string[]) };
}

function nullableStrings({ values }: StringColumn): Element {
  const missing = Int8Array.from(values, (value) => (value === null ? 1 : 0));
  return {
    encoding: "nullable-string-array",
    values: arrayOf(
      stringType,
      [values.length],
      values.map((value) => value ?? ""),
    ),
    mask: arrayOf(booleanType, [values.length], missing),
  };
}

function booleanElement({ values, mask }: BooleanColumn): Element {
  const array = booleans(values);
  return mask === undefined
    ? { encoding: "array", array }
    : { encoding: "nullable-boolean", values: array, mask: booleans(mask) };
}

function booleans(values: ArrayLike<number>) {
  const flags = Int8Array.from(values, (value) => (value === 0 ? 0 : 1));
  return arrayOf(booleanType, [flags.length], flags);
}

function numberElement({ values, dtype, mask }: NumberColumn, where: string): Element {
  const type = dtypeType(dtype);
  // Floats have a missing value of their own.
  const missing = type.kind === "float" ? Number.NaN : 0;
  const plain =
    mask === undefined ? values : Float64Array.from(values, (value, i) => (mask[i] ? missing : value));
  const array = arrayOf(type, [values.length], convertNumbers(plain, dtype, where));
  return mask === undefined || type.kind === "float"
    ? { encoding: "array", array }
    : { encoding: "nullable-integer", values: array, mask: booleans(mask) };
}

function categoricalElement(column: CategoricalColumn, where: string): Element {
  const { codes, categories, categoryValues } = column;
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
  if (categoryValues !== undefined && categoryValues.values.length !== categories.length) {
    throw new AnnDataError(
      "invalid-argument",
      `${where} has ${categories.length} categories, but ${categoryValues.values.length} values of them`,
    );
  }
  const dtype = categories.length < 128 ? "int8" : categories.length < 32_768 ? "int16" : "int32";
  return {
    encoding: "categorical",
    codes: arrayOf(dtypeType(dtype), [codes.length], convertNumbers(codes, dtype, where)),
    categories:
      categoryValues === undefined
        ? strings(categories)
        : columnElement(categoryValues, `${where}/categories`, "nullable"),
    ordered: column.ordered,
  };
}

function fromStrings({ values }: StringColumn): CategoricalColumn {
  const categories = [...new Set(values.filter((value) => value !== null))].sort();
  const codeOf = new Map(categories.map((name, code) => [name, code]));
  const codes = Int32Array.from(values, (value) => (value === null ? -1 : codeOf.get(value)!));
  return { kind: "categorical", codes, categories, ordered: false };
}

/** An array whose first axes are those of the object. */
export function arrayElement(
  input: ArrayInput,
  where: string,
  lengths: readonly number[],
  what: string,
): Element {
  const { data, shape } = input;
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (data.length !== count || lengths.some((length, axis) => shape[axis] !== length)) {
    throw new AnnDataError(
      "invalid-argument",
      `${where} has ${data.length} values for shape [${shape}], but ${what}`,
    );
  }
  return { encoding: "array", array: arrayOf(dtypeType(dtypeOfArray(data)), shape, data) };
}

/** A nested mapping. Nulls are left out: anndata has an encoding for them only since 0.12. */
export function treeElement(tree: { [key: string]: JsonLike }, where: string, depth = 0): DictElement {
  if (depth > maxDepth)
    throw new AnnDataError("invalid-argument", `${where} is nested more than ${maxDepth} deep`);
  const entries = new Map<string, Element>();
  for (const [key, value] of Object.entries(tree)) {
    if (value !== null) entries.set(key, valueElement(value, `${where}/${key}`, depth));
  }
  return { encoding: "dict", entries };
}

function valueElement(value: Exclude<JsonLike, null>, where: string, depth: number): Element {
  if (typeof value === "string") return { encoding: "string", value };
  if (typeof value === "number" || typeof value === "boolean") {
    const { type, values } = numbers([value]);
    return { encoding: "numeric-scalar", array: arrayOf(type, [], values) };
  }
  if (ArrayBuffer.isView(value)) {
    const array = value as Float64Array;
    return { encoding: "array", array: arrayOf(dtypeType(dtypeOfArray(array)), [array.length], array) };
  }
  if (Array.isArray(value)) return listElement(value, where);
  return treeElement(value as { [key: string]: JsonLike }, where, depth + 1);
}

function listElement(list: readonly unknown[], where: string): Element {
  if (list.length > 0 && list.every((item) => typeof item === "string")) return strings(list as string[]);
  const uniform = ["boolean", "number"].some((kind) => list.every((item) => typeof item === kind));
  if (!uniform) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: a list must hold only strings, only numbers or only booleans`,
    );
  }
  const { type, values } = numbers(list as (number | boolean)[]);
  return { encoding: "array", array: arrayOf(type, [list.length], values) };
}

/** Whole numbers become int64, as they would in Python. */
function numbers(list: readonly (number | boolean)[]): { type: ValueType; values: H5Numbers } {
  if (typeof list[0] === "boolean") return { type: booleanType, values: Int8Array.from(list, Number) };
  if (list.length > 0 && list.every((item) => Number.isSafeInteger(item))) {
    return { type: dtypeType("int64"), values: BigInt64Array.from(list as number[], BigInt) };
  }
  return { type: dtypeType("float64"), values: Float64Array.from(list as number[]) };
}
