import { ImagingError } from "../../errors.ts";

/** A value as RFC 4180 wants it, quoted only where it must be. */
function csvValue(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One line of a table, with its line feed. */
export function csvLine(values: readonly (string | number)[]): string {
  return `${values.map(csvValue).join(",")}\n`;
}

/**
 * The rows of delimited text, streamed: quoted values with doubled quotes, LF or CRLF, blank lines skipped, a byte order mark ignored.
 *
 * @param name for messages.
 * @throws ImagingError `bad-table` for a quote that is not closed.
 */
export async function* parseRows(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  delimiter: "," | "\t" = ",",
): AsyncGenerator<string[]> {
  let rest = "";
  for await (const text of decodedText(chunks, name)) {
    rest += text;
    let from = 0;
    for (let end = lineEnd(rest, from, delimiter); end !== -1; end = lineEnd(rest, from, delimiter)) {
      const row = splitRow(rest.slice(from, end), delimiter, name);
      if (row !== undefined) yield row;
      from = end + 1;
    }
    rest = rest.slice(from);
    if (rest.length > maxRowLength)
      throw new ImagingError(
        "bad-table",
        `${name}: expected rows of at most ${maxRowLength} characters, found a longer one; is a quote left open?`,
      );
  }
  const row = splitRow(rest, delimiter, name);
  if (row !== undefined) yield row;
}

/** A row longer than this is a quote left open. */
const maxRowLength = 16 * 1024 * 1024;

/** UTF-8 as text, without a byte order mark. @throws ImagingError `bad-table` for anything else. */
export async function* decodedText(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw new ImagingError("bad-table", `${name}: expected UTF-8, found other bytes`, { cause });
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}

/** The next line feed outside quotes, or -1. A quote within a value that does not begin with one is a character like others. */
function lineEnd(text: string, from: number, delimiter: string): number {
  const between = delimiter.charCodeAt(0);
  let quoted = false;
  let plain = false;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 34 && !plain) quoted = !quoted;
    else if (quoted) continue;
    else if (code === 10) return i;
    else plain = code !== between;
  }
  return -1;
}

function splitRow(line: string, delimiter: string, name: string): string[] | undefined {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (text === "") return undefined;
  if (!text.includes('"')) return text.split(delimiter);
  const row: string[] = [];
  for (let i = 0; ; ) {
    if (text[i] !== '"') {
      const end = text.indexOf(delimiter, i);
      row.push(text.slice(i, end === -1 ? undefined : end));
      if (end === -1) return row;
      i = end + 1;
      continue;
    }
    let value = "";
    for (i += 1; ; ) {
      const quote = text.indexOf('"', i);
      if (quote === -1)
        throw new ImagingError("bad-table", `${name}: a quote is not closed in ${text.slice(0, 80)}`);
      value += text.slice(i, quote);
      i = quote + 1;
      if (text[i] !== '"') break;
      value += '"';
      i += 1;
    }
    row.push(value);
    if (i >= text.length) return row;
    if (text[i] !== delimiter)
      throw new ImagingError("bad-table", `${name}: text follows a closed quote in ${text.slice(0, 80)}`);
    i += 1;
  }
}

/** A table as records by column name. @throws ImagingError `bad-table` when columns are missing or a row has another length. */
export async function* parseRecords(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  needed: readonly string[],
  delimiter: "," | "\t" = ",",
): AsyncGenerator<Record<string, string>> {
  let header: string[] | undefined;
  let count = 0;
  for await (const row of parseRows(chunks, name, delimiter)) {
    if (header === undefined) {
      header = row.map((text) => text.trim());
      const missing = needed.filter((column) => !header?.includes(column));
      if (missing.length > 0)
        throw new ImagingError(
          "bad-table",
          `${name}: expected the columns ${needed.join(", ")}, found ${header.join(", ").slice(0, 400)}; missing: ${missing.join(", ")}`,
        );
      continue;
    }
    count += 1;
    if (row.length !== header.length)
      throw new ImagingError(
        "bad-table",
        `${name}: expected ${header.length} values in row ${count}, found ${row.length}: ${row.join(",").slice(0, 120)}`,
      );
    yield Object.fromEntries(header.map((column, i) => [column, row[i] as string]));
  }
  if (header === undefined) throw new ImagingError("bad-table", `${name}: expected a table, found nothing`);
}
