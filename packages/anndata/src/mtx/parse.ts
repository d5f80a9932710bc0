import { AnnDataError } from "../errors.ts";

/** The size line of a Matrix Market file. */
export interface MtxHeader {
  field: "integer" | "real" | "pattern";
  rows: number;
  columns: number;
  entries: number;
}

/** Entries of a block; indices from 0. Views are reused after the callback returns. */
export interface MtxBlock {
  rows: Int32Array<ArrayBuffer>;
  columns: Int32Array<ArrayBuffer>;
  values: Float64Array<ArrayBuffer>;
  count: number;
}

/** Names of the kinds of values; scipy's writer adds "unsigned-integer" to those of the format, older ones "double". */
const fields: Readonly<Record<string, MtxHeader["field"] | undefined>> = {
  integer: "integer",
  "unsigned-integer": "integer",
  real: "real",
  double: "real",
  pattern: "pattern",
};

const blockEntries = 256 * 1024;
const maxLine = 4_096;
const [newline, percent] = [10, 37];

/**
 * Parse a Matrix Market coordinate file (Boisvert, Pozo, Remington 1996) as it streams by. `onHeader` is called once before the first block.
 *
 * @returns the header, when all entries that it declares have been seen
 * @throws AnnDataError "invalid" with the line: not Matrix Market, array or symmetric, numbers that are none or out of range, too few or too many
 *   entries; whatever the callbacks throw
 */
export async function parseMtx(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  onHeader: (header: MtxHeader) => void,
  onBlock: (block: MtxBlock) => void,
): Promise<MtxHeader> {
  const block: MtxBlock = {
    rows: new Int32Array(blockEntries),
    columns: new Int32Array(blockEntries),
    values: new Float64Array(blockEntries),
    count: 0,
  };
  let field: MtxHeader["field"] | undefined;
  let header: MtxHeader | undefined;
  let line = 0;
  let seen = 0;
  let rest: Uint8Array = new Uint8Array(0);

  const fail = (what: string): AnnDataError => new AnnDataError("invalid", `${path}, line ${line}: ${what}`);
  const flush = () => {
    if (block.count > 0) onBlock(block);
    seen += block.count;
    block.count = 0;
  };
  const take = (bytes: Uint8Array, from: number, to: number): void => {
    line += 1;
    if (field === undefined) {
      field = bannerOf(text(bytes, from, to), fail);
      return;
    }
    let at = from;
    while (at < to && (bytes[at] as number) <= 32) at++;
    if (at === to || bytes[at] === percent) return;
    if (header === undefined) {
      header = sizesOf(field, text(bytes, from, to), fail);
      onHeader(header);
      return;
    }
    entry(bytes, at, to, header);
  };
  const entry = (
    bytes: Uint8Array,
    from: number,
    to: number,
    { rows, columns, entries, field: kind }: MtxHeader,
  ) => {
    if (seen + block.count >= entries)
      throw fail(`more entries than the ${entries} that the size line declares`);
    let at = from;
    const integer = (): number => {
      let value = 0;
      const start = at;
      for (; at < to; at++) {
        const digit = (bytes[at] as number) - 48;
        if (digit < 0 || digit > 9) break;
        value = value * 10 + digit;
      }
      // 15 digits are exact in a double.
      if (at === start || at - start > 15 || (at < to && (bytes[at] as number) > 32))
        throw fail(
          `expected "row column${kind === "pattern" ? "" : " value"}", found ${shown(bytes, from, to)}`,
        );
      while (at < to && (bytes[at] as number) <= 32) at++;
      return value;
    };
    const row = integer();
    const column = integer();
    if (row < 1 || row > rows || column < 1 || column > columns)
      throw fail(`entry (${row}, ${column}) lies outside of ${rows} × ${columns}`);
    const i = block.count;
    block.rows[i] = row - 1;
    block.columns[i] = column - 1;
    block.values[i] = kind === "pattern" ? 1 : number(bytes, at, to, from);
    // Integers are kept as such; some writers put a fraction under that banner all the same.
    if (kind === "integer" && !Number.isInteger(block.values[i]))
      throw fail(`expected an integer, as line 1 says, found ${shown(bytes, from, to)}`);
    block.count = i + 1;
    if (block.count === blockEntries) flush();
  };
  const number = (bytes: Uint8Array, from: number, to: number, start: number): number => {
    let end = to;
    while (end > from && (bytes[end - 1] as number) <= 32) end--;
    let value = 0;
    let at = from;
    if (end - from <= 15) {
      for (; at < end; at++) {
        const digit = (bytes[at] as number) - 48;
        if (digit < 0 || digit > 9) break;
        value = value * 10 + digit;
      }
      if (at === end && end > from) return value;
    }
    const word = text(bytes, from, end);
    // Number() also takes "", "0x1f" and "Infinity".
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(word))
      throw fail(`expected a number, found ${shown(bytes, start, to)}`);
    return Number(word);
  };

  for await (const chunk of chunks) {
    let bytes = chunk;
    if (rest.length > 0) bytes = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
      take(bytes, from, end);
      from = end + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > maxLine) {
      line += 1;
      throw fail(`longer than ${maxLine} bytes; this is no Matrix Market file`);
    }
  }
  if (rest.length > 0) take(rest, 0, rest.length);
  flush();
  if (header === undefined) {
    line += 1;
    throw fail(field === undefined ? "the file is empty" : "the file ends before its size line");
  }
  const { entries } = header as MtxHeader;
  if (seen < entries)
    throw new AnnDataError(
      "truncated",
      `${path}: ${seen} entries, but the size line declares ${entries}; copy or download it again`,
    );
  return header;
}

function bannerOf(line: string, fail: (what: string) => AnnDataError): MtxHeader["field"] {
  const [banner, object, format, field, symmetry] = line.trim().toLowerCase().split(/\s+/);
  if (banner !== "%%matrixmarket" || object !== "matrix")
    throw fail(
      `not a Matrix Market file: expected "%%MatrixMarket matrix coordinate …", found ${JSON.stringify(line.slice(0, 60))}`,
    );
  if (format !== "coordinate") throw fail(`a Matrix Market ${format} file, expected coordinate (sparse)`);
  if (symmetry !== undefined && symmetry !== "general")
    throw fail(`a ${symmetry} matrix, expected a general one`);
  const known = Object.hasOwn(fields, field ?? "") ? fields[field ?? ""] : undefined;
  if (known === undefined) throw fail(`values are "${field}", expected integer, real or pattern`);
  return known;
}

function sizesOf(field: MtxHeader["field"], line: string, fail: (what: string) => AnnDataError): MtxHeader {
  const sizes = line.trim().split(/\s+/);
  const [rows, columns, entries] = sizes.map((word) => (/^\d{1,15}$/.test(word) ? Number(word) : Number.NaN));
  if (sizes.length !== 3 || ![rows, columns, entries].every(Number.isSafeInteger))
    throw fail(`expected the sizes "rows columns entries", found ${JSON.stringify(line.slice(0, 60))}`);
  if ((rows as number) > 2 ** 31 - 1 || (columns as number) > 2 ** 31 - 1)
    throw fail(`${rows} × ${columns} is more than 2^31 − 1 a side`);
  return { field, rows: rows as number, columns: columns as number, entries: entries as number };
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}

function shown(bytes: Uint8Array, from: number, to: number): string {
  return JSON.stringify(text(bytes, from, Math.min(to, from + 60)));
}
