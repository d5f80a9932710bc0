import { once } from "node:events";
import type { MessagePort, Transferable } from "node:worker_threads";
import { type AnnData, type Matrix, openAnnData } from "@cytomesh/anndata";
import type { PackedCellRows } from "@cytomesh/contracts/cell-rows";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { EdgeError } from "../../edge/errors.ts";
import { chooseFeatureIds, type FeatureIds } from "./feature-ids.ts";
import { packRows } from "./pack.ts";
import { readTotals } from "./totals.ts";

/** What the reader is asked. */
export interface ReadRequest {
  readonly path: string;
  /** Genes of the model. */
  readonly schema: readonly string[];
  /** Largest single array, in bytes. */
  readonly maxBytes: number;
  /** Takes {@link ReadMessage}s; every message that comes back allows one more batch of rows. */
  readonly port: MessagePort;
}

/** What an upload holds, before its rows. */
export interface UploadHeader {
  readonly cells: number;
  readonly genes: number;
  /** Genes that the model reads. */
  readonly sharedGenes: number;
  /** Where the gene ids stand: `index` or a column of var. */
  readonly idsFrom: string;
  /** Gene ids of the columns; empty when they are the model's own, in its order. */
  readonly featureIds: string[];
}

/** What the reader sends, in this order. */
export type ReadMessage = { header: UploadHeader } | { rows: PackedCellRows } | { end: true };

/** Entries read from the file at a time: 48 MiB of indices and float64 values. */
const entriesPerRead = 4 * 1024 * 1024;

function rowsPerRead(x: Matrix): number {
  const [rows, columns] = x.shape;
  const perRow = x.nnz === undefined ? columns : x.nnz / Math.max(1, rows);
  return Math.min(100_000, Math.max(1, Math.floor(entriesPerRead / Math.max(1, perRow))));
}

/**
 * Read X, the obs index, `total_mrna_umis` and the gene ids of an upload, and nothing else.
 *
 * @throws EdgeError `bad-upload`, AnnDataError
 */
export async function readRows(request: ReadRequest, context: TaskContext): Promise<void> {
  const { port } = request;
  let credit = 0;
  port.on("message", () => credit++);
  const send = (message: ReadMessage, transfer: Transferable[] = []) => port.postMessage(message, transfer);
  let file: AnnData | undefined;
  try {
    file = await openAnnData(request.path, { maxBytes: request.maxBytes });
    const { x } = file;
    if (x === undefined)
      throw new EdgeError("bad-upload", "the file has no X: there are no counts to annotate");
    const genes = file.nObs === 0 ? undefined : chooseFeatureIds(file.var, request.schema);
    send({ header: describe(file, request.schema, genes) });
    const cellIds = file.obs.index();
    const totals = readTotals(file.obs);
    for (const { start, rows } of x.batches(rowsPerRead(x))) {
      const end = start + rows.nRows;
      for (const batch of packRows(rows, cellIds.slice(start, end), totals?.subarray(start, end))) {
        await context.breathe();
        while (credit === 0) await once(port, "message", { signal: context.signal });
        credit--;
        const arrays = [batch.indptr, batch.indices, batch.data, batch.totalCounts];
        send(
          { rows: batch },
          arrays.map((array) => array.buffer),
        );
      }
    }
    send({ end: true });
  } finally {
    file?.close();
    port.close();
  }
}

function describe(file: AnnData, schema: readonly string[], genes: FeatureIds | undefined): UploadHeader {
  const counts = { cells: file.nObs, genes: file.nVar };
  if (genes === undefined) return { ...counts, sharedGenes: 0, idsFrom: "index", featureIds: [] };
  const own = genes.ids.length === schema.length && genes.ids.every((id, i) => id === schema[i]);
  return { ...counts, sharedGenes: genes.shared, idsFrom: genes.from, featureIds: own ? [] : genes.ids };
}
