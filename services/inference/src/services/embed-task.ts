import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { OnnxRunner } from "@cytomesh/kernels";
import { sha256Hex } from "@cytomesh/object-store";
import { type BinReader, openBin } from "@cytomesh/omics-store";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { InferenceError } from "../errors.ts";
import type { EmbeddedBin } from "../schemas/embedding.ts";
import { embeddedBinFile } from "../schemas/embedding.ts";
import type { LocalResource } from "../schemas/resources.ts";
import { openModel } from "./opened.ts";

/** Rows per step: small enough to stop and report within a second, large enough to amortise the reading. */
const batchRows = 1_024;

/** Input of {@link embedBin}. */
export interface EmbedBinInput {
  readonly model: LocalResource;
  /** SHA-256 of the feature schema, as the catalog has it: the ids joined by newlines. */
  readonly schemaSha256: string;
  readonly schema: string;
  readonly bin: {
    readonly bin: number;
    readonly path: string;
    readonly sha256: string;
    readonly cells: number;
  };
  /** Local file that receives the vectors. */
  readonly outPath: string;
}

/**
 * Run the model over a bin and write its vectors: float32 little-endian, row-major, in the order of the bin.
 *
 * @throws InferenceError `schema-mismatch`, `damaged-file`; OmicsStoreError `corrupt`; KernelError
 */
export async function embedBin(input: EmbedBinInput, context: TaskContext): Promise<EmbeddedBin> {
  await context.breathe();
  const { runner, geneIds } = await openModel(input.model, 1);
  if (sha256Hex(geneIds.join("\n")) !== input.schemaSha256)
    throw new InferenceError(
      "schema-mismatch",
      `the file of model ${input.model.name} reads other genes than feature schema ${input.schema}, under which the catalog has it`,
    );
  const bin = await openBin(input.bin.path, input.bin.sha256, context.signal);
  try {
    if (bin.cells !== input.bin.cells)
      throw new InferenceError(
        "damaged-file",
        `bin ${input.bin.bin} has ${bin.cells} cells, its manifest says ${input.bin.cells}`,
      );
    const written = await writeVectors(bin, runner, input.outPath, context);
    return { bin: input.bin.bin, file: embeddedBinFile(input.bin.bin), cells: bin.cells, ...written };
  } finally {
    bin[Symbol.dispose]();
  }
}

async function writeVectors(
  bin: BinReader,
  runner: OnnxRunner,
  outPath: string,
  context: TaskContext,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(outPath, "w");
  try {
    for (const { start, rows } of bin.batches(batchRows)) {
      const totals = bin.totals.subarray(start, start + rows.nRows);
      const vectors = await runner.embedRows(rows, totals, { signal: context.signal });
      const part = new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength);
      hash.update(part);
      await file.writeFile(part);
      bytes += part.length;
      context.progress({ cells: start + rows.nRows });
      await context.breathe();
    }
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest("hex") };
}
