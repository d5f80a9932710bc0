import type { FileListing } from "@cytomesh/contracts/jobs/v1/imaging";
import { joinUri, type ObjectStore, putOnce } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import { fits } from "./glob.ts";
import { listed } from "./listing.ts";

/** Files of one job: more are a mistake in a prefix, and would not fit a list in memory. */
const maxFiles = 2_000_000;

interface Wanted {
  readonly uris: readonly string[];
  readonly listing?: FileListing | undefined;
}

/**
 * The files of a job in a fixed order: those named, then those found. The list is kept as `inputs.txt` of the output folder by whoever
 * makes it first, and read from there ever after, so that a job that goes on sees the same files in the same order.
 *
 * @param claim of the folder for the request.
 * @throws ImagingError `nothing-found`, `bad-listing`, `output-conflict`.
 */
export async function frozenFiles(
  store: ObjectStore,
  outputUri: string,
  wanted: Wanted,
  claim: () => Promise<void>,
  signal: AbortSignal,
): Promise<string[]> {
  const own = ownPrefix(outputUri);
  const text = await frozenText(
    store,
    outputUri,
    claim,
    async () => (await findFiles(store, wanted, signal, own)).map((uri) => `${uri}\n`).join(""),
    signal,
  );
  return text.split("\n").filter(Boolean);
}

/**
 * What `inputs.txt` of an output folder says: as it stands there, else as it is made now, unless another makes it first. The folder is claimed
 * for the request before it is written to, and only once there is a list: a mistake in a pattern costs no folder.
 */
export async function frozenText(
  store: ObjectStore,
  outputUri: string,
  claim: () => Promise<void>,
  make: () => Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  const at = joinUri(outputUri, "inputs.txt");
  if ((await store.head(at, { signal })) !== undefined) {
    await claim();
    return Buffer.from(await store.get(at, { signal })).toString();
  }
  const made = await make();
  await claim();
  const standing = await putOnce(store, at, made, { contentType: "text/plain", signal });
  return standing === undefined ? made : Buffer.from(standing).toString();
}

/** What the URIs of a job's own files begin with. */
export function ownPrefix(outputUri: string): string {
  return `${outputUri.replace(/\/+$/, "")}/`;
}

/**
 * The files named, then those found by looking, each once. See `frozenFiles`.
 *
 * @param own prefix of the job's own files, which may lie below that of the listing and are not meant.
 */
export async function findFiles(
  store: ObjectStore,
  wanted: Wanted,
  signal: AbortSignal,
  own?: string,
): Promise<string[]> {
  let found = new Set(wanted.uris);
  const { listing } = wanted;
  if (listing !== undefined) {
    const before = found.size;
    const matches = fits(listing.pattern);
    const uris =
      listing.listingUri === ""
        ? below(store, listing.prefixUri, matches, signal, own)
        : listed(store, listing.listingUri, (path) => matches(readable(path)), signal);
    for await (const uri of uris) {
      found.add(uri);
      if (found.size > maxFiles)
        throw new ImagingError(
          "bad-listing",
          `expected at most ${maxFiles} files, found more; narrow the prefix`,
        );
    }
    if (found.size === before && before === 0)
      throw new ImagingError(
        "nothing-found",
        `${listing.listingUri || listing.prefixUri} holds no file${listing.pattern === "" ? "" : ` that fits the pattern ${JSON.stringify(listing.pattern)}`}`,
      );
    if (listing.sample > 0)
      found = new Set([...wanted.uris, ...spread([...found].slice(before), listing.sample)]);
  }
  return [...found];
}

/** `count` of a list at even distances. */
export function spread<T>(list: readonly T[], count: number): readonly T[] {
  if (count >= list.length) return list;
  return Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)] as T);
}

async function* below(
  store: ObjectStore,
  prefix: string,
  matches: (path: string) => boolean,
  signal: AbortSignal,
  own: string | undefined,
): AsyncGenerator<string> {
  const images = new Set<string>();
  for await (const { uri } of store.list(prefix, { signal })) {
    if (own !== undefined && uri.startsWith(own)) continue;
    const path = uri.startsWith(prefix) ? uri.slice(prefix.length) : nameOf(uri);
    // An OME-Zarr image is a folder: it counts once, by its root.
    const zarr = /^(.*?\.zarr)\//.exec(path)?.[1];
    if (zarr === undefined) {
      if (matches(readable(path))) yield uri;
    } else if (!images.has(zarr)) {
      images.add(zarr);
      if (matches(readable(zarr))) yield uri.slice(0, uri.length - path.length) + zarr;
    }
  }
}

function readable(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The last part of a URI, readable. */
export function nameOf(uri: string): string {
  const path = uri.replace(/\/+$/, "");
  const name = path.slice(path.lastIndexOf("/") + 1);
  return uri.startsWith("file:") ? readable(name) : name;
}
