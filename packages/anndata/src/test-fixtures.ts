import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "node:test";
import type { H5Type } from "@cytomesh/hdf5";
import { openAnnData } from "./open.ts";
import type { AnnData, CsrRows, FrameInput, OpenOptions } from "./types.ts";

/** Shared by the tests of this package only. */

export const types = {
  strings: { kind: "string", size: "variable", utf8: true },
  int32: { kind: "int", size: 4, signed: true },
  int64: { kind: "int", size: 8, signed: true },
  int8: { kind: "int", size: 1, signed: true },
  float32: { kind: "float", size: 4 },
  float64: { kind: "float", size: 8 },
} as const satisfies Record<string, H5Type>;

export function temporaryFolder(): { path: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-anndata-"));
  return { path: (name) => join(folder, name), remove: () => rmSync(folder, { recursive: true }) };
}

const files: AnnData[] = [];
afterEach(() => {
  for (const file of files.splice(0)) file.close();
});

/** An AnnData file that is closed when the test ends. */
export async function opened(path: string, options?: OpenOptions): Promise<AnnData> {
  const file = await openAnnData(path, options);
  files.push(file);
  return file;
}

export function frame(prefix: string, length: number): FrameInput {
  return { index: Array.from({ length }, (_, i) => `${prefix}${i}`), columns: {} };
}

/** Dense rows → CSR without the zeros. */
export function csr(rows: readonly (readonly number[])[], nCols: number): CsrRows {
  const indptr = new Float64Array(rows.length + 1);
  const indices: number[] = [];
  const data: number[] = [];
  rows.forEach((row, r) => {
    row.forEach((value, column) => {
      if (value === 0) return;
      indices.push(column);
      data.push(value);
    });
    indptr[r + 1] = indices.length;
  });
  return {
    nRows: rows.length,
    nCols,
    indptr,
    indices: Int32Array.from(indices),
    data: Float32Array.from(data),
  };
}

/** CSR → dense rows. */
export function dense(rows: CsrRows): number[][] {
  return Array.from({ length: rows.nRows }, (_, r) => {
    const row = new Array<number>(rows.nCols).fill(0);
    for (let i = rows.indptr[r]!; i < rows.indptr[r + 1]!; i++) row[rows.indices[i]!] = rows.data[i]!;
    return row;
  });
}

/** Small repeatable counts. */
export function counts(nRows: number, nCols: number): number[][] {
  return Array.from({ length: nRows }, (_, r) =>
    Array.from({ length: nCols }, (_, c) => Math.max(0, ((r * 7 + c * 5) % 11) - 6)),
  );
}
