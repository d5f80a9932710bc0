import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type AnnDataInput, type Column, type CsrRows, writeH5ad } from "@cytomesh/anndata";
import type { AnalysisSpec } from "@cytomesh/contracts/jobs/v1/specs";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { taskOf } from "../schemas/tasks.ts";
import { type AnalysisInput, analyse } from "./analyse.ts";

/** A made-up study: counts, cells × genes, row-major. */
export interface Study {
  readonly cells: number;
  readonly genes: readonly string[];
  readonly counts: Float64Array;
  readonly louvain: readonly string[];
}

/** A seeded study of three groups of cells; gene 0 is constant (never expressed), the last cell is empty. */
export function makeStudy(cells = 90, nGenes = 40): Study {
  let state = 7;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 8) + 0.5) / 2 ** 24;
  };
  const rates = Array.from({ length: 3 * nGenes }, () => Math.exp(3 * uniform() - 1));
  const counts = new Float64Array(cells * nGenes);
  for (let cell = 0; cell < cells - 1; cell++)
    for (let gene = 1; gene < nGenes; gene++)
      counts[cell * nGenes + gene] = Math.floor(-Math.log(uniform()) * rates[(cell % 3) * nGenes + gene]!);
  return {
    cells,
    genes: Array.from({ length: nGenes }, (_, gene) => `GENE${gene}`),
    counts,
    louvain: Array.from({ length: cells }, (_, cell) => String(cell % 3)),
  };
}

/** A dense matrix as CSR rows. */
export function sparse(values: Float64Array, nRows: number, nCols: number): CsrRows {
  const indptr = new Float64Array(nRows + 1);
  const indices: number[] = [];
  const data: number[] = [];
  for (let row = 0; row < nRows; row++) {
    for (let column = 0; column < nCols; column++) {
      const value = values[row * nCols + column]!;
      if (value === 0) continue;
      indices.push(column);
      data.push(value);
    }
    indptr[row + 1] = indices.length;
  }
  return { nRows, nCols, indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) };
}

/** The oracle: log1p(10000 · x / total), dense; an empty cell is all zeros. */
export function logNormalized({ counts, cells, genes }: Study): Float64Array {
  const out = new Float64Array(counts.length);
  for (let cell = 0; cell < cells; cell++) {
    const row = counts.subarray(cell * genes.length, (cell + 1) * genes.length);
    const total = row.reduce((a, b) => a + b, 0);
    row.forEach((x, gene) => {
      out[cell * genes.length + gene] = total === 0 ? 0 : Math.log1p((10_000 * x) / total);
    });
  }
  return out;
}

/** A column of text with few values. */
export function categorical(values: readonly (string | null)[]): Column {
  const categories = [...new Set(values.filter((value) => value !== null))].sort();
  const codes = Int32Array.from(values, (value) => (value === null ? -1 : categories.indexOf(value)));
  return { kind: "categorical", codes, categories, ordered: false };
}

/** A folder that is removed after the test. */
export async function tempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "worker-service-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Write a study as `.h5ad`; `over` replaces parts of the file. */
export async function writeStudy(
  dir: string,
  study: Study,
  over: Partial<AnnDataInput> = {},
): Promise<string> {
  const path = join(dir, "study.h5ad");
  await writeH5ad(
    path,
    {
      x: sparse(study.counts, study.cells, study.genes.length),
      obs: {
        index: Array.from({ length: study.cells }, (_, cell) => `cell${cell}`),
        columns: {
          louvain: categorical(study.louvain),
          "cell-type": categorical(study.louvain.map((one) => `T-${one}`)),
          treated: {
            kind: "boolean",
            values: Uint8Array.from(study.louvain, (one) => (one === "1" ? 1 : 0)),
          },
        },
      },
      var: { index: [...study.genes], columns: {} },
      obsm: {
        X_umap: {
          data: Float32Array.from({ length: study.cells * 3 }, (_, i) => (i === 4 ? Number.NaN : i / 4)),
          shape: [study.cells, 3],
        },
      },
      ...over,
    },
    { xDtype: "float64" },
  );
  return path;
}

/** The context of a task that nobody stops. */
export const quietly: TaskContext = {
  signal: new AbortController().signal,
  progress: () => {},
  breathe: async () => {},
};

let versions = 0;

/** Run a task over a local file as the service does, in this thread; returns what a client would get. */
export async function run<T>(
  path: string,
  task: string,
  parameters: AnalysisSpec["parameters"] = {},
  options: Partial<AnalysisInput> & { context?: TaskContext } = {},
): Promise<T> {
  const { context = quietly, ...input } = options;
  const spec = { uri: `file://${path}`, task, parameters, outputUri: "" } as AnalysisSpec;
  const version = String(++versions);
  const { json } = await analyse({ path, version, task: taskOf(spec), ...input }, context);
  return JSON.parse(new TextDecoder().decode(json));
}
