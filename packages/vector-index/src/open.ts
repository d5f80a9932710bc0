import { join } from "node:path";
import { checkInteger } from "./checks.ts";
import type { VectorTable } from "./distance.ts";
import { VectorIndexError } from "./errors.ts";
import { createExactSearcher } from "./exact.ts";
import { damaged, readVerified, verifyFile } from "./files.ts";
import { type Graph, openGraph } from "./graph.ts";
import { codesFile, GRAPH, IDS, METADATA, readManifest, VECTORS } from "./manifest.ts";
import { assembleColumns, findColumn } from "./metadata.ts";
import { createSearch } from "./search.ts";
import type { IndexManifest, MetadataColumn, OpenOptions, VectorIndex } from "./types.ts";

/**
 * Opens the index in `dir`, reading every file into memory and checking it against the manifest. Run searches in a worker: they are
 * CPU work, and the graph answers synchronously.
 *
 * @throws VectorIndexError `not_found`, `corrupt_index`, `unsupported_version`, `native`, `cancelled`
 */
export async function openIndex(dir: string, options: OpenOptions = {}): Promise<VectorIndex> {
  const { signal, threads = 1, exactBelow = 50_000 } = options;
  checkInteger("threads", threads, 1, 1024);
  const manifest = await readManifest(dir);
  const read = (name: string) => readVerified(join(dir, name), manifest.files[name]!, signal);
  const table: VectorTable = {
    metric: manifest.metric,
    dimension: manifest.dimension,
    size: manifest.size,
    ids: fromInt64(await read(IDS), join(dir, IDS)),
    vectors: new Float32Array(await read(VECTORS)),
  };
  const columns = await readColumns(dir, manifest, read);
  const exact = createExactSearcher(table, threads);
  const search = createSearch({
    table,
    columns,
    exact,
    graph: await readGraph(dir, manifest, table, threads),
    exactBelow,
  });
  let closed = false;
  const close = async () => {
    closed = true;
    await exact.close();
  };
  return {
    manifest,
    size: table.size,
    dimension: table.dimension,
    ids: table.ids,
    async search(queries, nq, k, searchOptions = {}) {
      if (closed) throw new VectorIndexError("closed", `the index at ${dir} is closed: open it again`);
      return search(queries, nq, k, searchOptions);
    },
    metadata: (column) => findColumn(columns, column),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function readGraph(
  dir: string,
  manifest: IndexManifest,
  table: VectorTable,
  threads: number,
): Promise<Graph | null> {
  if (!manifest.graph) return null;
  const path = join(dir, GRAPH);
  // usearch trusts what it loads; the digest is what keeps a damaged file away from it.
  await verifyFile(path, manifest.files[GRAPH]!);
  return openGraph(table, manifest.graph, path, threads);
}

async function readColumns(
  dir: string,
  { columns, size }: IndexManifest,
  read: (name: string) => Promise<ArrayBuffer>,
): Promise<MetadataColumn[]> {
  const codes: Int32Array[] = [];
  for (let i = 0; i < columns.length; i++) codes.push(new Int32Array(await read(codesFile(i))));
  return assembleColumns(await read(METADATA), columns, codes, size, join(dir, METADATA));
}

function fromInt64(bytes: ArrayBuffer, path: string): Float64Array {
  const halves = new Uint32Array(bytes);
  const ids = new Float64Array(halves.length / 2);
  for (let i = 0; i < ids.length; i++) {
    const high = halves[2 * i + 1]!;
    if (high >= 2 ** 21) throw damaged(path, `has an id outside 0 … 2^53 − 1 at ${i}`);
    ids[i] = high * 2 ** 32 + halves[2 * i]!;
  }
  return ids;
}
