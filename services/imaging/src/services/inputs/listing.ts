import { posix } from "node:path";
import { formatUri, type ObjectStore, parseUri, toUri } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import { decodedText, parseRows } from "../tables/csv.ts";

/**
 * The URIs that a file lists and whose text fits: one per line, whatever else the line holds, or those in the column `uri` of a table that
 * has one. Blank lines and those that begin with `#` are skipped. What has no scheme is relative to the file; beside a local file it may be
 * an absolute path.
 *
 * @throws ImagingError `bad-listing`, with the line; `bad-table`.
 */
export async function* listed(
  store: ObjectStore,
  listingUri: string,
  matches: (path: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const folder = parseUri(listingUri.slice(0, listingUri.lastIndexOf("/") + 1));
  const entries = (await isTable(store, listingUri, signal)) ? tableEntries : lineEntries;
  for await (const [line, entry] of entries(store, listingUri, signal)) {
    const text = entry.trim();
    if (text === "" || text.startsWith("#")) continue;
    try {
      const uri = /^[a-z0-9]+:\/\//i.test(text) ? toUri(text) : beside(folder, text);
      if (matches(text)) yield uri;
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new ImagingError("bad-listing", `${listingUri}, line ${line}: expected a URI, ${reason}`, {
        cause,
      });
    }
  }
}

function beside(folder: ReturnType<typeof parseUri>, path: string): string {
  const absolute = path.startsWith("/");
  if (absolute && folder.scheme !== "file")
    throw new Error(`found the local path ${path}; a listing in a bucket names objects of it, or URIs`);
  const key = absolute ? posix.normalize(path) : posix.join(folder.key, path);
  if (key.startsWith("../")) throw new Error(`found ${path}, which leads out of the bucket`);
  return formatUri({ ...folder, key });
}

type Entries = AsyncGenerator<[line: number, text: string]>;

async function isTable(store: ObjectStore, uri: string, signal: AbortSignal): Promise<boolean> {
  for await (const [, text] of lineEntries(store, uri, signal))
    if (text.trim() !== "" && !text.startsWith("#"))
      return text.split(",").some((name) => /^"?uri"?$/i.test(name.trim()));
  return false;
}

/** A line longer than this is no URI; a file of one line must not fill the memory. */
const maxLineLength = 64 * 1024;

async function* lineEntries(store: ObjectStore, uri: string, signal: AbortSignal): Entries {
  let line = 0;
  let rest = "";
  for await (const text of decodedText(await store.stream(uri, { signal }), uri)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    for (const one of lines) yield [++line, one];
    if (rest.length > maxLineLength)
      throw new ImagingError(
        "bad-listing",
        `${uri}, line ${line + 1}: expected a URI, found more than ${maxLineLength} characters without a line break`,
      );
  }
  yield [++line, rest];
}

async function* tableEntries(store: ObjectStore, uri: string, signal: AbortSignal): Entries {
  let line = 0;
  let column: number | undefined;
  for await (const row of parseRows(await store.stream(uri, { signal }), uri)) {
    line += 1;
    if (column !== undefined) yield [line, row[column] ?? ""];
    else if (!row[0]?.startsWith("#")) column = row.findIndex((name) => name.trim().toLowerCase() === "uri");
  }
}
