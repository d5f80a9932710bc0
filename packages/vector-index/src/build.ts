import { randomUUID } from "node:crypto";
import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkInput, checkInteger } from "./checks.ts";
import { throwIfCancelled, VectorIndexError } from "./errors.ts";
import { digestFile, writeNew } from "./files.ts";
import { buildGraph, DEFAULT_CONNECTIVITY, DEFAULT_EXPANSION_ADD } from "./graph.ts";
import {
  codesFile,
  createManifest,
  GRAPH,
  IDS,
  lineageAsJson,
  MANIFEST,
  METADATA,
  serializeManifest,
  VECTORS,
} from "./manifest.ts";
import { type PreparedVectors, prepareVectors } from "./prepare.ts";
import type { BuildOptions, FileEntry, GraphInfo, IndexInput, IndexKind, IndexManifest } from "./types.ts";

/** From here on a graph answers faster than exact search. */
const EXACT_BELOW = 200_000;

/**
 * Builds an index in `dir` and returns its manifest.
 *
 * Everything is written beside `dir` and moved into place at the end, so a reader sees the old index, or none, or the whole new
 * one. An index already in `dir` is replaced; a directory with anything else in it is left alone. The bytes depend on the input only,
 * except that an HNSW graph linked by several threads differs from run to run.
 *
 * @throws VectorIndexError `invalid_argument`, `invalid_vector`, `target_in_use`, `storage`, `native`, `cancelled`
 */
export async function buildIndex(
  input: IndexInput,
  dir: string,
  options: BuildOptions = {},
): Promise<IndexManifest> {
  checkInput(input);
  const lineage = lineageAsJson(input.manifest);
  checkInteger("threads", options.threads ?? 1, 1, 1024);
  throwIfCancelled(options.signal, "index build");
  await checkTarget(dir);
  const staging = `${dir}.building-${randomUUID()}`;
  try {
    await mkdir(dirname(dir), { recursive: true });
    await mkdir(staging);
    const manifest = await writeIndex({ ...input, manifest: lineage }, staging, options);
    await publish(staging, dir);
    return manifest;
  } catch (cause) {
    if (cause instanceof VectorIndexError) throw cause;
    throw new VectorIndexError(
      "storage",
      `the index could not be written at ${dir}: ${(cause as Error).message}`,
      {
        cause,
        path: dir,
      },
    );
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function writeIndex(input: IndexInput, dir: string, options: BuildOptions): Promise<IndexManifest> {
  const { dimension, metric } = input;
  const { signal, threads = 1 } = options;
  const prepared = prepareVectors(input);
  const size = prepared.ids.length;
  const wanted = input.kind ?? "auto";
  const kind: IndexKind = wanted === "auto" ? (size < EXACT_BELOW ? "exact" : "hnsw") : wanted;
  const files: Record<string, FileEntry> = {};
  for (const [name, bytes] of contents(prepared))
    files[name] = await writeNew(join(dir, name), bytes, signal);
  let graph: GraphInfo | null = null;
  if (kind === "hnsw") {
    const table = { metric, dimension, size, ids: prepared.ids, vectors: prepared.vectors };
    graph = await buildGraph(table, join(dir, GRAPH), {
      connectivity: input.connectivity ?? DEFAULT_CONNECTIVITY,
      expansionAdd: input.expansionAdd ?? DEFAULT_EXPANSION_ADD,
      threads,
      signal,
    });
    files[GRAPH] = await digestFile(join(dir, GRAPH));
  }
  const manifest = createManifest({
    kind,
    metric,
    dimension,
    size,
    replaced: prepared.replaced,
    columns: prepared.metadata.map((column) => column.name),
    graph,
    files,
    lineage: input.manifest,
  });
  await writeNew(join(dir, MANIFEST), Buffer.from(serializeManifest(manifest)));
  return manifest;
}

function contents({ ids, vectors, metadata }: PreparedVectors): [string, Uint8Array][] {
  const bytesOf = (array: ArrayBufferView) =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const columns = metadata.map(({ name, categories }) => ({ name, categories }));
  return [
    [VECTORS, bytesOf(vectors)],
    [IDS, bytesOf(toInt64(ids))],
    [METADATA, Buffer.from(`${JSON.stringify({ columns })}\n`)],
    ...metadata.map(({ codes }, i): [string, Uint8Array] => [codesFile(i), bytesOf(codes)]),
  ];
}

/** Little-endian int64 as pairs of 32-bit halves. */
function toInt64(ids: Float64Array): Uint32Array {
  const halves = new Uint32Array(2 * ids.length);
  ids.forEach((id, i) => {
    halves[2 * i] = id % 2 ** 32;
    halves[2 * i + 1] = Math.floor(id / 2 ** 32);
  });
  return halves;
}

async function checkTarget(dir: string): Promise<void> {
  const entries = await readdir(dir).catch((cause: NodeJS.ErrnoException): string[] => {
    if (cause.code === "ENOENT") return [];
    throw new VectorIndexError("target_in_use", `${dir} cannot hold an index: ${cause.message}`, {
      cause,
      path: dir,
    });
  });
  if (entries.length > 0 && !entries.includes(MANIFEST)) {
    throw new VectorIndexError(
      "target_in_use",
      `${dir} holds files that are no vector index: choose another directory`,
      { path: dir },
    );
  }
}

/** A directory cannot be renamed over a full one, so the old index steps aside first and is put back if the move fails. */
async function publish(staging: string, dir: string): Promise<void> {
  const aside = `${staging}.old`;
  const replaces = await access(dir).then(
    () => true,
    () => false,
  );
  let movedAside = false;
  try {
    if (replaces) await rename(dir, aside);
    movedAside = replaces;
    await rename(staging, dir);
  } catch (cause) {
    if (movedAside)
      await rename(aside, dir).catch(async ({ code }: NodeJS.ErrnoException) => {
        // Another build has put its index there meanwhile: the old one is replaced all the same.
        if (code === "ENOTEMPTY" || code === "EEXIST") await rm(aside, { recursive: true, force: true });
      });
    throw new VectorIndexError(
      "target_in_use",
      `the index could not be moved to ${dir}: is another build writing there?`,
      { cause, path: dir },
    );
  }
  if (replaces) await rm(aside, { recursive: true, force: true });
}
