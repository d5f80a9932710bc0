import { join } from "node:path";
import { joinUri, ObjectStoreError } from "@cytomesh/object-store";
import { createBlockReader } from "../bytes/blocks.ts";
import type { SourceOpener } from "../bytes/source.ts";
import { MicroscopyError } from "../errors.ts";
import type { ByteSource, ReadLimits } from "../types.ts";
import { openTiffFile, type TiffFile } from "./ifd.ts";
import { createPages, type Pages } from "./pages.ts";

export interface TiffMember {
  readonly file: TiffFile;
  readonly pages: Pages;
}

/** The TIFFs that an image is spread over, opened when a plane of theirs is first asked for. */
export interface Members {
  /** @throws MicroscopyError `missing-file`, `refused-reference`, and what opening a TIFF throws. */
  open(name: string, signal: AbortSignal | undefined): Promise<TiffMember>;
}

/** Directories of so many files are kept. */
const KEPT = 64;

export function createMembers(uri: string, opener: SourceOpener, limits: ReadLimits): Members {
  const kept = new Map<string, TiffMember>();
  return {
    async open(name, signal) {
      const known = kept.get(name);
      if (known !== undefined) {
        kept.delete(name);
        kept.set(name, known);
        return known;
      }
      const source = await openBeside(uri, name, opener, signal);
      const file = await openTiffFile(createBlockReader(source), limits, signal);
      if (file === undefined)
        throw new MicroscopyError("corrupt", `${source.uri}: expected a TIFF, as ${uri} refers to it as one`);
      const member = { file, pages: createPages(file) };
      if (kept.size >= KEPT) kept.delete(kept.keys().next().value as string);
      kept.set(name, member);
      return member;
    },
  };
}

/**
 * A file in the folder of `uri`, or below it. Holds no handle between reads: an image may have thousands of files.
 *
 * @throws MicroscopyError `missing-file`, `refused-reference`.
 */
export async function openBeside(
  uri: string,
  name: string,
  opener: SourceOpener,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  const parts = name.split("/");
  if (name === "" || name.startsWith("/") || /[\\\0]|^[a-z][a-z0-9+.-]*:/i.test(name) || parts.includes(".."))
    throw new MicroscopyError(
      "refused-reference",
      `${uri} refers to "${name.slice(0, 200)}", which is not below its folder`,
    );
  const folder = uri.slice(0, uri.lastIndexOf("/") + 1);
  const other = /^[a-z][a-z0-9+.-]*:\/\//i.test(uri) ? joinUri(folder, name) : join(folder, name);
  let source: ByteSource;
  try {
    source = await opener(other, signal);
  } catch (error) {
    const absent =
      (error instanceof MicroscopyError && error.tag === "not-found") ||
      (error instanceof ObjectStoreError && error.tag === "object-not-found");
    if (!absent) throw error;
    throw new MicroscopyError("missing-file", `${uri} refers to ${name}, which is not beside it`, {
      cause: error,
    });
  }
  if (source.remote) return source;
  await source[Symbol.asyncDispose]();
  return {
    uri: source.uri,
    size: source.size,
    remote: false,
    async read(start, end, during, into) {
      await using open = await opener(other, during);
      if (end > open.size)
        throw new MicroscopyError(
          "truncated",
          `${other}: became shorter, ${source.size} bytes before, ${open.size} now`,
        );
      return open.read(start, end, during, into);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
