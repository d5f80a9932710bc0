// A file of 8 GB of counts once decoded, written as a stream by our own writer, then ingested as the service does it (hash, vet, convert,
// publish) in a process of its own: cells/s and peak memory.
// `--small`: 0.4 GB.
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CsrRows, writeH5ad } from "../../packages/anndata/src/index.ts";
import { openIngest } from "../../packages/omics-store/src/index.ts";
import { smallMemory } from "../../scripts/launch/memory.mjs";
import { randomFrom } from "../fuzz/mutate.ts";
import { ingestThroughService } from "./ingested.ts";
import { type Cost, measure } from "./measure.ts";
import { small } from "./study.ts";

const genes = 36_000;
const block = 2_000;
const nnzPerCell = 2_060;
const cells = small ? 26_000 : 500_000;
const obsColumns = 30;

/** One block of cells; the others are it with its counts moved on, so that making them costs next to nothing. */
function firstBlock(): CsrRows {
  const random = randomFrom(1);
  const indptr = new Float64Array(block + 1);
  const indices = new Int32Array(block * nnzPerCell);
  const data = new Float32Array(block * nnzPerCell);
  const step = genes / nnzPerCell;
  for (let row = 0; row < block; row++) {
    for (let k = 0; k < nnzPerCell; k++) {
      const at = row * nnzPerCell + k;
      indices[at] = Math.floor(k * step) + Math.floor(random() * Math.floor(step));
      const draw = random();
      data[at] = draw < 0.69 ? 1 : 1 + Math.floor(-Math.log(1 - draw) * 2);
    }
    indptr[row + 1] = (row + 1) * nnzPerCell;
  }
  return { nRows: block, nCols: genes, indptr, indices, data };
}

async function makeFile(path: string): Promise<void> {
  const rows = firstBlock();
  function* batches(): Generator<CsrRows> {
    for (let done = 0; done < cells; done += block) {
      yield rows;
      // Other counts in the next block, the same columns.
      rows.data.copyWithin(0, 7);
    }
  }
  const column = (i: number) =>
    i % 2 === 0
      ? {
          kind: "categorical" as const,
          codes: Int32Array.from({ length: cells }, (_, row) => (row * (i + 1)) % 20),
          categories: Array.from({ length: 20 }, (_, c) => `category ${c}`),
          ordered: false,
        }
      : {
          kind: "number" as const,
          dtype: "float64" as const,
          values: Float64Array.from({ length: cells }, (_, row) => (row * i) % 1000),
        };
  await writeH5ad(path, {
    x: { shape: [cells, genes], batches: batches() },
    obs: {
      index: Array.from({ length: cells }, (_, i) => `CELL-${i}`),
      columns: Object.fromEntries(Array.from({ length: obsColumns }, (_, i) => [`column ${i}`, column(i)])),
    },
    var: {
      index: Array.from({ length: genes }, (_, i) => `ENSG${String(i).padStart(11, "0")}`),
      columns: {},
    },
  });
}

const ingestOnly = process.argv.indexOf("--ingest");
if (ingestOnly > 0) {
  const [path, root] = process.argv.slice(ingestOnly + 1) as [string, string];
  console.log(JSON.stringify(await measure(() => ingestThroughService(path, root), 1)));
} else {
  const root = await mkdtemp(join(tmpdir(), "bench-big-"));
  try {
    const path = join(root, "big.h5ad");
    const written = await measure(() => makeFile(path), 1);
    // As the launcher starts services.
    const env = { ...process.env, ...smallMemory(process.env) };
    const printed = execFileSync(process.execPath, [import.meta.filename, "--ingest", path, root], {
      env,
    }).toString();
    const cost = JSON.parse(printed) as Cost & { result: string };
    const { manifest } = await openIngest(cost.result);
    const decoded = manifest.nnz * 8;
    const stored = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
    console.log(
      `${manifest.cells} cells, ${gb(decoded)} decoded, ${obsColumns} obs columns, ${gb(statSync(path).size)} as .h5ad`,
    );
    console.log(
      `  written by our writer in ${written.wallS.toFixed(1)} s (cpu ${written.cpuS.toFixed(1)} s)`,
    );
    console.log(
      `  ingested in ${cost.wallS.toFixed(1)} s (cpu ${cost.cpuS.toFixed(1)} s): ${(cells / cost.wallS).toFixed(0)} cells/s, ${(cells / cost.cpuS).toFixed(0)} per cpu second, peak ${cost.peakMiB.toFixed(0)} MiB, ${gb(stored)} in the warehouse`,
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
