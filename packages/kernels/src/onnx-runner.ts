import { KernelError, throwIfCancelled } from "./errors.ts";
import { readOnnxSummary } from "./onnx-read.ts";
import { createDenseSession, type DenseSession, type SessionOptions } from "./ort.ts";
import { checkInteger, checkRows, checkTotals } from "./rows.ts";
import type { CsrRowsLike, OnnxRunner } from "./types.ts";

/** Rows made dense at once: 256 × 36,000 float32 are 37 MB, and larger batches are no faster. */
const BLOCK_ROWS = 256;

/**
 * Loads an embedding model with inputs `counts` [N, G] and `total_counts` [N], and output `embedding` [N, k].
 * @throws KernelError `invalid_model`, `runtime`
 */
export async function createOnnxRunner(model: Uint8Array, options: SessionOptions = {}): Promise<OnnxRunner> {
  const summary = readOnnxSummary(model);
  const nFeatures = fixedWidth(summary.inputs.get("counts"), "input counts");
  const nComponents = fixedWidth(summary.outputs.get("embedding"), "output embedding");
  if (!summary.inputs.has("total_counts")) {
    throw new KernelError("invalid_model", "expected an input total_counts, found none");
  }
  const session = await createDenseSession(model, options);
  const embed = (counts: Float32Array, totals: Float32Array, n: number) =>
    runBlock(session, { counts, totals, n, nFeatures, nComponents });
  return {
    metadata: summary.metadata,
    nFeatures,
    nComponents,
    async run(counts, totals, n) {
      checkDense(counts, totals, n, nFeatures);
      return n === 0 ? new Float32Array() : embed(counts, totals, n);
    },
    async embedRows(rows, totals, { signal } = {}) {
      checkRows(rows, true);
      checkTotals(totals, rows.nRows);
      if (rows.nCols !== nFeatures) {
        throw new KernelError(
          "invalid_argument",
          `the model takes ${nFeatures} features, the rows have ${rows.nCols}: align them to its feature schema`,
        );
      }
      const out = new Float32Array(rows.nRows * nComponents);
      const dense = new Float32Array(Math.min(rows.nRows, BLOCK_ROWS) * nFeatures);
      for (let first = 0; first < rows.nRows; first += BLOCK_ROWS) {
        throwIfCancelled(signal, "embedding");
        const n = Math.min(BLOCK_ROWS, rows.nRows - first);
        const block = densify(rows, first, n, dense);
        const embedding = await embed(block, Float32Array.from(totals.subarray(first, first + n)), n);
        out.set(embedding, first * nComponents);
      }
      return out;
    },
    close: () => session.close(),
    [Symbol.asyncDispose]: () => session.close(),
  };
}

interface Block {
  readonly counts: Float32Array;
  readonly totals: Float32Array;
  readonly n: number;
  readonly nFeatures: number;
  readonly nComponents: number;
}

async function runBlock(session: DenseSession, block: Block): Promise<Float32Array> {
  const { counts, totals, n, nFeatures, nComponents } = block;
  const { embedding } = await session.run({
    counts: { dims: [n, nFeatures], data: counts },
    total_counts: { dims: [n], data: totals },
  });
  if (!(embedding?.data instanceof Float32Array) || embedding.data.length !== n * nComponents) {
    throw new KernelError("runtime", `expected an embedding of ${n} × ${nComponents} float32`);
  }
  const bad = embedding.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const row = Math.floor(bad / nComponents);
    const column = bad % nComponents;
    throw new KernelError(
      "runtime",
      `the model gives ${embedding.data[bad]} for row ${row}, component ${column}`,
      {
        row,
        column,
      },
    );
  }
  return embedding.data;
}

function densify(rows: CsrRowsLike, first: number, n: number, dense: Float32Array): Float32Array {
  const block = dense.subarray(0, n * rows.nCols).fill(0);
  for (let row = 0; row < n; row++) {
    const base = row * rows.nCols;
    for (let at = rows.indptr[first + row]!; at < rows.indptr[first + row + 1]!; at++) {
      block[base + rows.indices[at]!] = rows.data[at]!;
    }
  }
  return block;
}

function checkDense(counts: Float32Array, totals: Float32Array, n: number, nFeatures: number): void {
  checkInteger("n", n, 0);
  if (counts.length !== n * nFeatures) {
    throw new KernelError(
      "invalid_argument",
      `expected counts of ${n} × ${nFeatures} numbers, found ${counts.length}`,
    );
  }
  checkTotals(totals, n);
  for (let at = 0; at < counts.length; at++) {
    if (!(counts[at]! >= 0 && counts[at]! < Infinity)) {
      const row = Math.floor(at / nFeatures);
      const column = at - row * nFeatures;
      throw new KernelError(
        "invalid_rows",
        `expected a finite count at row ${row}, column ${column}, found ${counts[at]}`,
        {
          row,
          column,
        },
      );
    }
  }
}

function fixedWidth(shape: readonly (number | null)[] | undefined, what: string): number {
  const width = shape?.[1];
  if (shape?.length !== 2 || typeof width !== "number" || !(width > 0)) {
    throw new KernelError(
      "invalid_model",
      `expected ${what} of shape [N, width], found ${shape ? `[${shape.map((length) => length ?? "?").join(", ")}]` : "none"}`,
    );
  }
  return width;
}
