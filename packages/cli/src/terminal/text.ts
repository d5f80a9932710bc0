const numbers = new Intl.NumberFormat("en-US");

/** 12345 → 12,345 */
export function formatCount(value: number | bigint): string {
  return numbers.format(value);
}

/** 83,400 ms → 1m 23s; below a minute with one decimal. */
export function formatSeconds(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
}

/** 1536 → 1.5 KiB */
export function formatSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Rows as aligned columns; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => String(row[column] ?? "").length)));
  const right = header.map(
    (_, column) =>
      rows.length > 0 &&
      rows.every((row) => typeof row[column] === "number" || /^[\d,.%]+$/.test(String(row[column] ?? ""))),
  );
  const line = (row: readonly (string | number)[]) =>
    row
      .map((cell, column) => {
        const text = String(cell);
        const width = widths[column] ?? 0;
        return right[column] ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [line(header), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

/** Control characters of names that came from files must not reach the terminal, those of the second range included. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** One line of CSV (RFC 4180), without its end. */
export function csvLine(values: readonly string[]): string {
  return values
    .map((value) => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))
    .join(",");
}

/** A value of a set of names as people write it. */
export function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  return (Object.entries(values).find(([, one]) => one === value)?.[0] ?? "unknown").toLowerCase();
}

/** Where things are, a line each, those that are there. */
export function placeLines(places: Readonly<Record<string, string>>): string[] {
  const there = Object.entries(places).filter(([, uri]) => uri !== "");
  const width = Math.max(...there.map(([name]) => name.length)) + 2;
  return there.map(([name, uri]) => `${name.padEnd(width)}${uri}`);
}
