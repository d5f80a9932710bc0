import { readdirSync, rmSync, statSync } from "node:fs";
import { sep } from "node:path";
import { AnnDataError } from "./errors.ts";
import { openH5Source } from "./h5-source.ts";
import { isLoom, loomSource } from "./loom-source.ts";
import { looksLikeMtx } from "./mtx/find-files.ts";
import { openMtxSource } from "./mtx/mtx-source.ts";
import { looksLikeTarball, unpackMtx } from "./mtx/tarball.ts";
import type { Source } from "./storage.ts";
import { subtree } from "./subtree.ts";
import { tenxLayout, tenxSource } from "./tenx/tenx-h5.ts";
import { looksLikeZarr, openZarrSource } from "./zarr-source.ts";

export interface OpenSourceOptions {
  /** Largest array that one call may hold, in bytes. */
  maxBytes: number;
  /** Where formats of text are unpacked; default: the system's temporary folder. */
  tempDir?: string | undefined;
  /** Only what stands in this group. */
  group?: string | undefined;
}

/** Text unpacks to many times its size; this bounds the disk that a tarball may take, in multiples of `maxBytes`. */
const unpackedFactor = 64;
/** Matrices of text shrink to a tenth; what unpacks to more than this many times its size is there to fill the disk. */
const mostRatio = 100;
const alwaysUnpacked = 64 * 1024 ** 2;

/**
 * Opens what stands at the path, recognised by its content: .h5ad, zarr (folder or zip), 10x HDF5, loom, a Matrix Market triple (folder,
 * matrix or tarball). All are laid out as AnnData.
 *
 * @throws AnnDataError "file-not-found" | "permission-denied" | "not-hdf5" | "not-anndata" | "truncated" | "corrupt" | "invalid"
 */
export async function openSource(path: string, options: OpenSourceOptions): Promise<Source> {
  const source = await openWhole(path, options);
  if (options.group === undefined) return source;
  try {
    return subtree(source, options.group);
  } catch (error) {
    source.close();
    throw error;
  }
}

async function openWhole(path: string, options: OpenSourceOptions): Promise<Source> {
  const { maxBytes, tempDir } = options;
  if (looksLikeZarr(path)) return openZarrSource(path, maxBytes);
  if (looksLikeMtx(path)) return openMtxSource(path, maxBytes, tempDir);
  if (exists(path) && looksLikeTarball(path)) return openTarball(path, options);
  if (isFolder(path))
    throw new AnnDataError(
      "not-anndata",
      `${path} is a folder, but neither zarr nor one with a .mtx file; it holds ${readdirSync(path).sort().slice(0, 10).join(", ") || "nothing"}`,
    );
  const source = await openH5Source(path, maxBytes);
  try {
    // An AnnData file may have a group of any name besides; what it is comes first.
    if (source.kind("/obs") !== undefined && source.kind("/var") !== undefined) return source;
    if (tenxLayout(source) !== undefined) return tenxSource(source, maxBytes);
    return isLoom(source) ? loomSource(source) : source;
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Formats that are parsed when they are opened: whoever opens a file often had better copy it to .h5ad once. */
export function isParsedOnOpen(path: string): boolean {
  return looksLikeMtx(path) || (exists(path) && looksLikeTarball(path));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function openTarball(path: string, { maxBytes, tempDir }: OpenSourceOptions): Promise<Source> {
  const maxUnpackedBytes = Math.min(
    maxBytes * unpackedFactor,
    Math.max(statSync(path).size * mostRatio, alwaysUnpacked),
  );
  const folder = await unpackMtx(path, { maxUnpackedBytes, tempDir });
  try {
    return { ...(await openMtxSource(folder, maxBytes, tempDir)), path };
  } catch (error) {
    // Whoever reads this knows the tarball; the folder is ours, and gone.
    if (!(error instanceof AnnDataError)) throw error;
    const told = error.message.replaceAll(`${folder}${sep}`, `${path}: `).replaceAll(folder, path);
    throw new AnnDataError(error.tag, told, { cause: error });
  } finally {
    // The triple has been parsed into files of its own.
    rmSync(folder, { recursive: true, force: true });
  }
}
