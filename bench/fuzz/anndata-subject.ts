import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  type AnnData,
  AnnDataError,
  type AnnDataInput,
  closeTurnStore,
  createTurnStore,
  type Matrix,
  openAnnData,
  type ValidationProblem,
  validateAnnData,
  writeH5ad,
} from "@cytomesh/anndata";

/** A study with every kind of column, sparse and nested uns, small. */
export async function createH5adSeed(path: string, xFormat: "csr" | "csc"): Promise<void> {
  const n = 20;
  const codes = Int32Array.from({ length: n }, (_, i) => (i % 4) - 1);
  const mask = Uint8Array.from({ length: n }, (_, i) => (i % 5 === 0 ? 1 : 0));
  const rows = {
    nRows: n,
    nCols: 5,
    indptr: Float64Array.from({ length: n + 1 }, (_, i) => 2 * i),
    indices: Int32Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? 1 : 3)),
    data: Float32Array.from({ length: 2 * n }, (_, i) => 1 + (i % 7)),
  };
  const study: AnnDataInput = {
    x: rows,
    obs: {
      index: Array.from({ length: n }, (_, i) => `cell-${i}`),
      columns: {
        type: { kind: "categorical", codes, categories: ["a", "b", "c"], ordered: true },
        note: { kind: "string", values: Array.from({ length: n }, (_, i) => `n${i}`) },
        age: { kind: "number", dtype: "int64", values: Float64Array.from(codes), mask },
        ok: { kind: "boolean", values: mask },
      },
    },
    var: { index: ["g1", "g2", "g3", "g4", "g5"], columns: {} },
    layers: { spliced: rows },
    obsm: { X_pca: { data: new Float32Array(2 * n), shape: [n, 2] } },
    uns: { title: "x", nested: { deep: { numbers: [1, 2, 3], names: ["p", "q"] } } },
  };
  await writeH5ad(path, study, { xFormat });
}

/** A Matrix Market triple as its three texts. */
export const mtxSeed: Record<string, string> = {
  "matrix.mtx": `%%MatrixMarket matrix coordinate integer general\n%metadata\n4 6 9\n${[
    1, 2, 3, 4, 1, 2, 3, 4, 1,
  ]
    .map((gene, i) => `${gene} ${1 + ((i * 5) % 6)} ${i + 1}`)
    .join("\n")}\n`,
  "barcodes.tsv": ["A", "B", "C", "D", "E", "F"].map((name) => `${name}-1\n`).join(""),
  "features.tsv": ["G1", "G2", "G3", "CD3"]
    .map(
      (name) =>
        `${name}\t${name.toLowerCase()}\t${name === "CD3" ? "Antibody Capture" : "Gene Expression"}\n`,
    )
    .join(""),
};

/** Writes a triple with one file damaged, gzipped or not. */
export function writeMtx(folder: string, damaged: string, bytes: Uint8Array, zipped: boolean): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(mtxSeed)) {
    const content = name === damaged ? bytes : Buffer.from(text);
    writeFileSync(
      join(folder, zipped ? `${name}.gz` : name),
      zipped ? gzipSync(content, { level: 1 }) : content,
    );
  }
}

/**
 * Opens what stands at the path and reads everything that the package reads.
 *
 * @returns "read", the tag of the error that refused it, "problems" when it opened and validation lists damage, or "untyped: …"
 */
export async function walkAnnData(path: string, tempDir: string): Promise<string> {
  try {
    using file = await openAnnData(path, { maxBytes: 64 * 2 ** 20, tempDir });
    const problems = validated(file);
    readRest(file, tempDir);
    return problems.some(({ code }) => code === "unreadable" || code === "wrong_length")
      ? "problems"
      : "read";
  } catch (error) {
    if (error instanceof AnnDataError) return error.tag;
    return `untyped: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}

/** Everything wrong is in the report: validation itself does not throw. */
function validated(file: AnnData): ValidationProblem[] {
  try {
    return validateAnnData(file, "cellxgene-7.1");
  } catch (error) {
    throw new Error(`validation threw: ${String(error)}`, { cause: error });
  }
}

/** What validation does not touch: uns, the rows of layers by ranges, and turning round by steps. */
function readRest(file: AnnData, tempDir: string): void {
  const typed = (work: () => void) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof AnnDataError)) throw error;
    }
  };
  typed(() => void file.uns());
  for (const key of file.layers.keys())
    typed(() => {
      const layer = file.layers.get(key);
      if (layer !== undefined) for (const _ of layer.batches(7));
    });
  for (const matrix of [() => file.x, ...[...file.layers.keys()].map((key) => () => file.layers.get(key))])
    typed(() => turnByHand(matrix(), tempDir));
}

/** As an ingest turns a matrix by column round, through a file; all rows must be those that are read at once. */
function turnByHand(matrix: Matrix | undefined, tempDir: string): void {
  const turning = matrix?.turning;
  if (matrix === undefined || turning === undefined) return;
  const nnz = matrix.nnz ?? 0;
  const store = createTurnStore(
    turning.plan({ stepEntries: Math.max(50, nnz >> 6), bucketEntries: Math.max(40, nnz >> 6) }),
    0,
    tempDir,
  );
  try {
    for (let step = 0; step < store.steps; step++) turning.step(store, step);
    const all = turning.all(store);
    const once = matrix.rows(0, matrix.shape[0]);
    for (const name of ["indptr", "indices", "data"] as const)
      if (!all[name].every((value: number, i: number) => Object.is(value, once[name][i])))
        throw new Error(`turned round by steps, ${name} differ from those of all rows at once`);
  } finally {
    closeTurnStore(store);
  }
}
