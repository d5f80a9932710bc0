import { encodeNumbers, encodeStrings, encodeTexts } from "./column-chunk.ts";
import type { Compression } from "./format.ts";
import type { PageBytes } from "./page.ts";

/** A column of single values: INT64 within ±2^53, DOUBLE without NaN. */
export interface ScalarField {
  name: string;
  type: "string" | "int64" | "int32" | "double" | "bool";
  optional: boolean;
}

/** Values of a page or chunk in column order, as PLAIN bytes; absent where there is no value or it is too long to be kept. */
export interface Bounds {
  min: Uint8Array | undefined;
  max: Uint8Array | undefined;
  nulls: number;
}

/** One column of one row group. */
export interface ColumnChunkBytes {
  dictionary: PageBytes | undefined;
  pages: { page: PageBytes; firstRow: number; rows: number; bounds: Bounds }[];
  bounds: Bounds;
  encodings: number[];
  values: number;
}

/** Rows per page of scalar columns. */
export const SCALAR_PAGE_ROWS = 16_384;

/** Gathers the rows of one column until its row group is written. */
export interface ColumnBuffer {
  readonly field: ScalarField;
  /** Bytes held, roughly. */
  readonly held: number;
  pushNumber(value: number): void;
  pushString(value: string): void;
  /** Strings by their codes, −1 for none, `from`..`to`; every code has a category. */
  pushCategories(categories: readonly string[], codes: ArrayLike<number>, from: number, to: number): void;
  pushNull(): void;
  /** Encodes what was pushed and starts anew. */
  finish(compression: Compression): ColumnChunkBytes;
}

export function columnBuffer(field: ScalarField): ColumnBuffer {
  return field.type === "string" ? stringBuffer(field) : numberBuffer(field);
}

/** A buffer that keeps nothing: for looking whether values can be pushed. */
export const discardingBuffer = (field: ScalarField): ColumnBuffer => ({
  ...columnBuffer(field),
  pushNumber: () => undefined,
  pushString: () => undefined,
  pushCategories: () => undefined,
  pushNull: () => undefined,
});

/** After so many values it is seen whether texts repeat at all: names of cells do not, and a map of them costs far more than they do. */
const TRIAL_VALUES = 1024;

/** Values as codes into the distinct ones, so that a repeated text is held once; as they stand where hardly any repeats. */
function stringBuffer(field: ScalarField): ColumnBuffer {
  let codeOf = new Map<string, number>();
  let codes = new Int32Array(1024);
  let count = 0;
  let held = 0;
  let listed: (string | null)[] | undefined;
  // The categories of the last call, and the codes that they have here.
  let known: readonly string[] | undefined;
  let translated = new Int32Array(0);
  const push = (code: number): void => {
    if (count === codes.length) {
      const more = new Int32Array(count * 2);
      more.set(codes);
      codes = more;
    }
    codes[count++] = code;
    if (count === TRIAL_VALUES && codeOf.size * 8 >= TRIAL_VALUES * 7) {
      const distinct = [...codeOf.keys()];
      listed = Array.from(codes.subarray(0, count), (each) => distinct[each] ?? null);
    }
  };
  const codeFor = (value: string): number => {
    let code = codeOf.get(value);
    if (code === undefined) {
      code = codeOf.size;
      codeOf.set(value, code);
      // A map entry, its string, and the bytes it is encoded to.
      held += 64 + 2 * value.length;
    }
    return code;
  };
  const pushString = (value: string): void => {
    if (listed === undefined) push(codeFor(value));
    else {
      listed.push(value);
      held += 16 + 2 * value.length;
    }
  };
  const pushNull = (): void => {
    if (listed === undefined) push(-1);
    else listed.push(null);
  };
  return {
    field,
    get held() {
      return held + count * 4;
    },
    pushNumber: () => {
      throw new TypeError(`${field.name} holds strings`);
    },
    pushString,
    pushNull,
    pushCategories: (categories, categoryCodes, from, to) => {
      if (known !== categories) {
        known = categories;
        translated = new Int32Array(categories.length).fill(-1);
      }
      for (let row = from; row < to; row++) {
        const code = categoryCodes[row]!;
        if (code === -1) pushNull();
        else if (listed !== undefined) pushString(categories[code]!);
        else {
          if (translated[code] === -1) translated[code] = codeFor(categories[code]!);
          push(translated[code]!);
        }
      }
    },
    finish: (compression) => {
      const chunk =
        listed === undefined
          ? encodeStrings([...codeOf.keys()], codes.subarray(0, count), field.optional, compression)
          : encodeTexts(listed, field.optional, compression);
      codeOf = new Map();
      known = undefined;
      listed = undefined;
      count = 0;
      held = 0;
      return chunk;
    },
  };
}

function numberBuffer(field: ScalarField): ColumnBuffer {
  let values = new Float64Array(1024);
  let nulls = new Uint8Array(1024);
  let count = 0;
  const push = (value: number, isNull: 0 | 1): void => {
    if (count === values.length) {
      const [more, moreNulls] = [new Float64Array(count * 2), new Uint8Array(count * 2)];
      more.set(values);
      moreNulls.set(nulls);
      [values, nulls] = [more, moreNulls];
    }
    values[count] = value;
    nulls[count++] = isNull;
  };
  return {
    field,
    get held() {
      return count * 9;
    },
    pushNumber: (value) => push(value, 0),
    pushString: () => {
      throw new TypeError(`${field.name} holds numbers`);
    },
    pushCategories: () => {
      throw new TypeError(`${field.name} holds numbers`);
    },
    pushNull: () => push(0, 1),
    finish: (compression) => {
      const chunk = encodeNumbers(field, values.subarray(0, count), nulls.subarray(0, count), compression);
      count = 0;
      return chunk;
    },
  };
}
