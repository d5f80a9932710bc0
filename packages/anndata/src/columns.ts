import { AnnDataError } from "./errors.ts";
import { booleanAttribute, plainNumbers, stringAttribute } from "./source.ts";
import type { ArrayInfo, Source, Values, ValueType } from "./storage.ts";
import type { CategoricalColumn, Column, NumberDtype } from "./types.ts";

export type KeptCategories = Pick<CategoricalColumn, "categories" | "categoryValues">;

/** Rows of a column: `start` to `end` of `length`. */
export interface RowRange {
  length: number;
  start: number;
  end: number;
}

/**
 * Reads rows of one column in any of its encodings: plain dataset, 0.7 codes with categories under `__categories`, and the groups of
 * 0.8 and later (categorical, nullable-integer, nullable-boolean, nullable-string-array).
 *
 * @param categoriesPath where 0.7 keeps this column's categories; undefined if there are none
 * @throws AnnDataError "wrong-length" | "invalid" | "unsupported" | "not-found"
 */
export function readColumn(
  source: Source,
  where: string,
  rows: RowRange,
  categoriesPath: string | undefined,
  categories: (where: string) => KeptCategories,
): Column {
  const kind = source.kind(where);
  if (kind === undefined)
    throw new AnnDataError("not-found", `${where} is named in column-order but is not in the file`);
  if (kind === "group") return readEncodedGroup(source, where, rows, categories);
  const info = checkLength(source.dataset(where), where, rows.length);
  const values = source.read(info, rows.start, rows.end);
  if (categoriesPath === undefined) return toColumn(values, info.type, where);
  const ordered = booleanAttribute(source, categoriesPath, "ordered");
  return categorical(values, categories(categoriesPath), ordered, where);
}

function readEncodedGroup(
  source: Source,
  where: string,
  rows: RowRange,
  categories: (where: string) => KeptCategories,
): Column {
  const encoding = stringAttribute(source, where, "encoding-type");
  const has = (name: string) => source.kind(`${where}/${name}`) === "dataset";
  if (
    encoding === "categorical" ||
    (encoding === undefined && has("codes") && source.kind(`${where}/categories`))
  ) {
    const codes = checkLength(source.dataset(`${where}/codes`), `${where}/codes`, rows.length);
    const ordered = booleanAttribute(source, where, "ordered");
    return categorical(
      source.read(codes, rows.start, rows.end),
      categories(`${where}/categories`),
      ordered,
      where,
    );
  }
  if (encoding?.startsWith("nullable-") || (encoding === undefined && has("values") && has("mask"))) {
    return readNullable(source, where, rows);
  }
  throw new AnnDataError(
    "unsupported",
    `${where} is a group with encoding-type ${JSON.stringify(encoding ?? null)}`,
  );
}

function readNullable(source: Source, where: string, rows: RowRange): Exclude<Column, CategoricalColumn> {
  const valuesAt = `${where}/values`;
  const info = checkLength(source.dataset(valuesAt), valuesAt, rows.length);
  const maskInfo = checkLength(source.dataset(`${where}/mask`), `${where}/mask`, rows.length);
  const mask = Uint8Array.from(
    plainNumbers(source.read(maskInfo, rows.start, rows.end), `${where}/mask`),
    (flag) => (flag === 0 ? 0 : 1),
  );
  const column = toColumn(source.read(info, rows.start, rows.end), info.type, valuesAt);
  if (column.kind === "string") {
    return { kind: "string", values: column.values.map((value, i) => (mask[i] === 1 ? null : value)) };
  }
  if (column.kind === "categorical")
    throw new AnnDataError("unsupported", `${valuesAt} holds an enum with a mask`);
  return { ...column, mask };
}

/** Categories as strings, whatever they are on disk, and as they are where they are no strings. */
export function readCategories(source: Source, where: string): KeptCategories {
  const column = readCategoryColumn(source, where);
  const categories = columnStrings(column);
  return column.kind === "number" || column.kind === "boolean"
    ? { categories, categoryValues: column }
    : { categories };
}

function readCategoryColumn(source: Source, where: string): Column {
  if (source.kind(where) === "group") {
    const length = source.dataset(`${where}/values`).shape?.[0] ?? 0;
    return readNullable(source, where, { length, start: 0, end: length });
  }
  const info = source.dataset(where);
  if ((info.shape?.length ?? 1) > 1)
    throw new AnnDataError("invalid", `${where} has shape [${info.shape}], expected one axis`);
  return toColumn(source.read(info), info.type, where);
}

export function categorical(
  codes: Values,
  kept: KeptCategories,
  ordered: boolean,
  where: string,
): CategoricalColumn {
  const numbers = plainNumbers(codes, where);
  const { length } = kept.categories;
  const out = new Int32Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    const code = numbers[i]!;
    if (!(code >= -1 && code < length && Number.isInteger(code))) {
      throw new AnnDataError(
        "invalid",
        `${where}: code ${code} at row ${i}, but there are ${length} categories`,
      );
    }
    out[i] = code;
  }
  return { kind: "categorical", codes: out, ...kept, ordered };
}

/** Values that came from HDF5 → a column. */
export function toColumn(values: Values, type: ValueType, where: string): Column {
  if (type.kind === "string" && Array.isArray(values)) return { kind: "string", values };
  if (type.kind === "enum") {
    const numbers = plainNumbers(values, where);
    if (isBooleanEnum(type))
      return { kind: "boolean", values: Uint8Array.from(numbers, (value) => (value === 0 ? 0 : 1)) };
    return enumColumn(numbers, type.members, where);
  }
  if (type.kind === "int" || type.kind === "float") {
    return { kind: "number", dtype: dtypeOf(type), values: plainNumbers(values, where) };
  }
  const description = type.kind === "other" ? type.description : type.kind;
  throw new AnnDataError("unsupported", `${where} has the type ${description}, which a column cannot have`);
}

function enumColumn(numbers: ArrayLike<number>, members: Record<string, number>, where: string): Column {
  const categories = Object.keys(members);
  const codeOf = new Map(categories.map((name, code) => [members[name]!, code]));
  const codes = Float64Array.from(numbers, (value) => codeOf.get(value) ?? -2);
  return categorical(codes, { categories }, false, where);
}

export function isBooleanEnum(type: ValueType): boolean {
  if (type.kind !== "enum") return false;
  const { FALSE, TRUE } = type.members;
  return FALSE === 0 && TRUE === 1 && Object.keys(type.members).length === 2;
}

/** float16 is widened to float32 by the reader. */
export function dtypeOf(type: Extract<ValueType, { kind: "int" | "float" }>): NumberDtype {
  if (type.kind === "float") return type.size === 8 ? "float64" : "float32";
  return `${type.signed ? "int" : "uint"}${(type.size * 8) as 8 | 16 | 32 | 64}`;
}

/** Every value as text: names and categories. Missing values become "nan", as pandas prints them. */
export function columnStrings(column: Column): string[] {
  switch (column.kind) {
    case "string":
      return column.values.map((value) => value ?? "nan");
    case "categorical":
      return Array.from(column.codes, (code) => (code < 0 ? "nan" : column.categories[code]!));
    case "boolean":
      return Array.from(column.values, (value, i) =>
        column.mask?.[i] ? "nan" : value === 0 ? "False" : "True",
      );
    case "number": {
      const float = column.dtype.startsWith("float");
      return Array.from(column.values, (value, i) => (column.mask?.[i] ? "nan" : numberText(value, float)));
    }
  }
}

/** Whole floats keep their ".0", so that 1 and 1.0 stay what they were. */
function numberText(value: number, float: boolean): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return float && Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}

export function checkLength(info: ArrayInfo, where: string, length: number): ArrayInfo {
  if (info.shape?.length !== 1 || info.shape[0] !== length) {
    throw new AnnDataError(
      "wrong-length",
      `${where} has shape [${info.shape ?? "none"}], expected ${length} rows`,
    );
  }
  return info;
}
