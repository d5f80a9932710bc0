import { createHash } from "node:crypto";
import {
  closeSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { openZip, ZarrError } from "@cytomesh/zarr";
import { SegmentationError } from "../errors.ts";

/** Weights larger than this are of no StarDist 2D network; the published ones have 6 MB. */
const maxFileBytes = 2 ** 30;
const maxEntries = 10_000;
const maxFolderDepth = 6;

/** What the user gave: a folder, an archive, or a file with what lies beside it. Names are relative, with "/". */
export interface ModelFiles {
  /** The file that was named, when it was one. */
  readonly primary: string | undefined;
  /** SHA-256 of the archive or of the file that was named; undefined for a folder. */
  readonly sha256: string | undefined;
  names(): readonly string[];
  has(name: string): boolean;
  /** @throws SegmentationError `invalid_model` when it is not there, `too_large` */
  read(name: string): Uint8Array;
  /** The content as a file of its own, for readers that want a path. */
  withPath<T>(name: string, use: (path: string) => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Opens what the user gave as weights. Links are not followed, and nothing outside of the folder or archive is read.
 * @throws SegmentationError `invalid_model`, `too_large`
 */
export function openModelFiles(path: string): ModelFiles {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new SegmentationError("invalid_model", `there is no ${path}`);
  if (stat.isDirectory()) return folder(path, undefined);
  checkSize(path, stat.size);
  return startOf(path, 4) === "PK\u0003\u0004" ? archive(path) : folder(dirname(path), basename(path));
}

function folder(root: string, primary: string | undefined): ModelFiles {
  const names: string[] = [];
  const walk = (prefix: string, depth: number) => {
    for (const entry of readdirSync(join(root, prefix), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (names.length > maxEntries)
        throw new SegmentationError("too_large", `${root} holds more than ${maxEntries} files`);
      if (entry.isFile()) names.push(`${prefix}${entry.name}`);
      // Beside a single file only its neighbours count.
      else if (
        entry.isDirectory() &&
        depth < (primary === undefined ? maxFolderDepth : 1) &&
        (primary === undefined || entry.name === "variables")
      )
        walk(`${prefix}${entry.name}/`, depth + 1);
    }
  };
  walk("", 0);
  if (primary !== undefined && !names.includes(primary)) names.push(primary);
  const known = new Set(names);
  const pathOf = (name: string) => {
    if (!known.has(name))
      throw new SegmentationError("invalid_model", `expected a file ${name} beside the weights, found none`);
    const path = join(root, name);
    checkSize(path, (name === primary ? statSync(path) : lstatSync(path)).size);
    return path;
  };
  return {
    primary,
    sha256: primary === undefined ? undefined : sha256Of(readFileSync(pathOf(primary))),
    names: () => names,
    has: (name) => known.has(name),
    read: (name) => {
      const { buffer, byteOffset, byteLength } = readFileSync(pathOf(name));
      return new Uint8Array(buffer, byteOffset, byteLength);
    },
    withPath: (name, use) => use(pathOf(name)),
    close: () => {},
  };
}

function archive(path: string): ModelFiles {
  const guarded = <T>(run: () => T): T => {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof ZarrError) throw new SegmentationError("invalid_model", cause.message, { cause });
      throw cause;
    }
  };
  const zip = guarded(() => openZip(path, { maxBytes: maxFileBytes }));
  // Archives made on a Mac carry resource forks of the same names.
  const names = zip.names().filter((name) => !name.startsWith("__MACOSX/"));
  const read = (name: string): Uint8Array => {
    const bytes = guarded(() => zip.read(name));
    if (bytes === undefined)
      throw new SegmentationError(
        "invalid_model",
        `expected a file ${name} in ${basename(path)}, found none`,
      );
    return bytes;
  };
  return {
    primary: undefined,
    sha256: sha256Of(readFileSync(path)),
    names: () => names,
    has: (name) => names.includes(name),
    read,
    async withPath(name, use) {
      const dir = mkdtempSync(join(tmpdir(), "cytomesh-model-"));
      try {
        const file = join(dir, "member");
        writeFileSync(file, read(name));
        return await use(file);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    },
    close: () => zip.close(),
  };
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function checkSize(path: string, bytes: number): void {
  if (bytes > maxFileBytes)
    throw new SegmentationError(
      "too_large",
      `expected weights of at most ${maxFileBytes} bytes, ${path} has ${bytes}`,
    );
}

/** First bytes of a file, as Latin-1. */
function startOf(path: string, length: number): string {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(length);
    return bytes.toString("latin1", 0, readSync(file, bytes, 0, length, 0));
  } finally {
    closeSync(file);
  }
}
