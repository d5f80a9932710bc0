import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MAX_DIMENSION, METRICS } from "./checks.ts";
import { VectorIndexError } from "./errors.ts";
import { damaged } from "./files.ts";
import type { FileEntry, GraphInfo, IndexManifest, Json } from "./types.ts";

export const MANIFEST = "manifest.json";
export const VECTORS = "vectors.f32";
export const IDS = "ids.i64";
export const METADATA = "metadata.json";
export const GRAPH = "graph.usearch";
const FORMAT = "cytomesh.vector-index";
const VERSION = 1;
/** Lineage is a page of JSON; this bounds what a hostile file can make us parse. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

/** Codes of the n-th metadata column, int32 little-endian. */
export function codesFile(column: number): string {
  return `codes-${column}.i32`;
}

export function createManifest(parts: Omit<IndexManifest, "format" | "version">): IndexManifest {
  return { format: FORMAT, version: VERSION, ...parts };
}

/** The text of manifest.json: the manifest and, last, the digest of its own JSON. */
export function serializeManifest(manifest: object): string {
  return `${JSON.stringify({ ...manifest, sha256: digestOf(manifest) }, null, 2)}\n`;
}

function digestOf(manifest: object): string {
  return createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
}

/**
 * A deep copy as a reader of the file will see it.
 * @throws VectorIndexError `invalid_argument` when the lineage is not JSON
 */
export function lineageAsJson(lineage: IndexManifest["lineage"]): IndexManifest["lineage"] {
  try {
    const copy: unknown = JSON.parse(JSON.stringify(lineage));
    if (isRecord(copy)) return copy as IndexManifest["lineage"];
  } catch (cause) {
    throw new VectorIndexError("invalid_argument", `the lineage is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  throw new VectorIndexError("invalid_argument", "expected the lineage to be a JSON object");
}

/**
 * Reads and checks the manifest of an index directory.
 * @throws VectorIndexError `not_found`, `unsupported_version`, `corrupt_index`
 */
export async function readManifest(dir: string): Promise<IndexManifest> {
  const path = join(dir, MANIFEST);
  const info = await stat(path).catch((cause: unknown) => {
    throw new VectorIndexError("not_found", `no vector index at ${dir}: ${MANIFEST} is missing`, {
      cause,
      path,
    });
  });
  if (info.size > MAX_MANIFEST_BYTES) throw damaged(path, `has ${info.size} bytes, more than any manifest`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw damaged(path, "is not JSON", cause);
  }
  return checkManifest(parsed, path);
}

function checkManifest(value: unknown, path: string): IndexManifest {
  const fail = (detail: string) => damaged(path, `is not the manifest of a vector index: ${detail}`);
  if (!isRecord(value) || value.format !== FORMAT) throw fail(`expected format "${FORMAT}"`);
  const { sha256, ...signed } = value;
  if (sha256 !== digestOf(signed)) throw fail("its own sha256 does not match");
  if (value.version !== VERSION) {
    throw new VectorIndexError(
      "unsupported_version",
      `${path} has version ${String(value.version)}, this reader knows ${VERSION}: rebuild the index or upgrade`,
      { path },
    );
  }
  const { kind, metric, dimension, size, replaced, columns, graph, files, lineage } = value;
  if (kind !== "exact" && kind !== "hnsw") throw fail("kind");
  const known = METRICS.find((name) => name === metric);
  if (!known) throw fail("metric");
  if (!isCount(dimension) || dimension < 1 || dimension > MAX_DIMENSION) throw fail("dimension");
  if (!isCount(size) || size < 1 || size >= 2 ** 31) throw fail("size");
  if (!isCount(replaced)) throw fail("replaced");
  if (!Array.isArray(columns) || !columns.every((name) => typeof name === "string")) throw fail("columns");
  if (!isRecord(files) || !Object.values(files).every(isFileEntry)) throw fail("files");
  if (!isRecord(lineage)) throw fail("lineage");
  if (kind === "hnsw" && !isGraphInfo(graph)) throw fail("graph");
  const checked: IndexManifest = {
    format: FORMAT,
    version: VERSION,
    kind,
    metric: known,
    dimension,
    size,
    replaced,
    columns,
    graph: kind === "hnsw" ? (graph as GraphInfo) : null,
    files: files as Record<string, FileEntry>,
    lineage: lineage as Record<string, Json>,
  };
  checkGraph(checked, fail);
  checkFiles(checked, fail);
  return checked;
}

function checkGraph({ graph, metric, dimension }: IndexManifest, fail: (detail: string) => Error): void {
  if (!graph) return;
  const expected = metric === "dot_product" ? dimension + 1 : dimension;
  if (graph.dimension !== expected)
    throw fail(`graph.dimension is ${graph.dimension} instead of ${expected}`);
  if (graph.centre.length !== (metric === "l2" ? dimension : 0)) throw fail("graph.centre");
}

function checkFiles(manifest: IndexManifest, fail: (detail: string) => Error): void {
  const { size, dimension, columns, files } = manifest;
  const lengths: [string, number | null][] = [
    [VECTORS, 4 * size * dimension],
    [IDS, 8 * size],
    [METADATA, null],
    ...columns.map((_, i): [string, number] => [codesFile(i), 4 * size]),
    ...(manifest.graph ? [[GRAPH, null] as [string, null]] : []),
  ];
  for (const [name, bytes] of lengths) {
    const entry = files[name];
    if (!entry) throw fail(`no entry for ${name}`);
    if (bytes !== null && entry.bytes !== bytes)
      throw fail(`${name} should have ${bytes} bytes, not ${entry.bytes}`);
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isFileEntry(value: unknown): value is FileEntry {
  return isRecord(value) && isCount(value.bytes) && /^[0-9a-f]{64}$/.test(String(value.sha256));
}

function isGraphInfo(value: unknown): value is GraphInfo {
  return (
    isRecord(value) &&
    isCount(value.dimension) &&
    (value.quantization === "f16" || value.quantization === "f32") &&
    isCount(value.connectivity) &&
    isCount(value.expansionAdd) &&
    Array.isArray(value.centre) &&
    value.centre.every(Number.isFinite) &&
    Number.isFinite(value.scale) &&
    (value.scale as number) > 0
  );
}
