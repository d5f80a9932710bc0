import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CsrRows, type FrameInput, writeH5ad } from "@cytomesh/anndata";
import { MeshService } from "@cytomesh/contracts/api/v1/mesh_service";
import { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { createLogger, createMetrics, hostService, openChannel } from "@cytomesh/rpc";
import { createTaskPool } from "@cytomesh/service-kit";
import { type EdgeOptions, startEdge, tokenAuthenticator } from "../../edge/index.ts";
import { createRestApp } from "../app.ts";
import { type RestLimits, uploadTasks } from "../deps.ts";
import { type FakeOptions, fakeMesh, fakeOntology, genes } from "./fake-mesh.ts";

/** What a test changes about the world. */
export interface WorldOptions extends FakeOptions {
  readonly tokens?: readonly string[];
  readonly limits?: Partial<RestLimits>;
  readonly edge?: Partial<EdgeOptions>;
}

/** The edge in front of fake services, which are real gRPC servers. */
export async function startWorld(o: WorldOptions = {}) {
  const logger = createLogger("test", "silent");
  const metrics = createMetrics("test");
  const folder = await mkdtemp(join(tmpdir(), "cytomesh-edge-"));
  const { services, seen } = fakeMesh(o);
  const hosted = await hostService({
    name: "test",
    host: "127.0.0.1",
    grpcPort: 0,
    healthPort: undefined,
    services,
    logger,
    metrics,
  });
  hosted.setServing(true);
  const channel = openChannel(hosted.address);
  const pool = createTaskPool(uploadTasks, { threads: 2 });
  const authenticator = tokenAuthenticator(o.tokens ?? []);
  const rest = await createRestApp({
    clients: {
      catalog: channel.client(CatalogService),
      jobs: channel.client(JobService),
      inference: channel.client(InferenceService),
      extract: channel.client(ExtractService),
      mesh: channel.client(MeshService),
    },
    pool,
    readObject: async () => Buffer.from(JSON.stringify(fakeOntology)),
    tempDir: folder,
    limits: {
      maxUploadBytes: 4 * 1024 * 1024,
      requestTimeoutMs: 30_000,
      readerTimeoutMs: 20_000,
      ...o.limits,
    },
    authenticator,
    minClientVersion: "1.8.0",
    version: "1.2.3",
    logger,
  });
  const close = async () => {
    await rest.close();
    channel.close();
    await hosted.stop(200);
    await pool.close();
    await rm(folder, { recursive: true, force: true });
  };
  const edge = await startEdge({
    host: "127.0.0.1",
    httpPort: 0,
    edgePort: 0,
    bindings: hosted.bindings,
    rest: rest.handle,
    probes: { metrics, logger, notReady: hosted.notReady },
    authenticator,
    anonymous: (o.tokens ?? []).length === 0,
    requestTimeoutMs: 30_000,
    logger,
    ...o.edge,
  }).catch(async (error) => {
    await close();
    throw error;
  });
  return {
    edge,
    rest,
    seen,
    hosted,
    url: `http://${edge.httpAddress}`,
    /** Folders of uploads that are still there. */
    leftovers: () => readdir(folder),
    async stop() {
      await edge.stop(500);
      await close();
    },
  };
}

/** The edge in front of fake services. */
export type World = Awaited<ReturnType<typeof startWorld>>;

/** Wait until something holds, for at most 5 s. */
export async function eventually(holds: () => Promise<boolean> | boolean): Promise<boolean> {
  for (let i = 0; i < 250; i++) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

/** Counts in which row r has the value r + c + 1 in every second column c. */
export function counts(nRows: number, nCols = genes.length): CsrRows {
  const perRow = Math.ceil(nCols / 2);
  return {
    nRows,
    nCols,
    indptr: Float64Array.from({ length: nRows + 1 }, (_, row) => row * perRow),
    indices: Int32Array.from({ length: nRows * perRow }, (_, i) => (i % perRow) * 2),
    data: Float32Array.from(
      { length: nRows * perRow },
      (_, i) => Math.floor(i / perRow) + (i % perRow) * 2 + 1,
    ),
  };
}

/** An .h5ad file as bytes. */
export async function h5ad(
  o: {
    cells?: number;
    cellIds?: string[];
    var?: FrameInput;
    totals?: Float32Array;
    x?: CsrRows;
    compression?: "none";
  } = {},
): Promise<Buffer> {
  const cells = o.cellIds?.length ?? o.x?.nRows ?? o.cells ?? 3;
  const folder = await mkdtemp(join(tmpdir(), "cytomesh-fixture-"));
  try {
    const path = join(folder, "cells.h5ad");
    await writeH5ad(
      path,
      {
        x: o.x ?? counts(cells, o.var?.index.length ?? genes.length),
        obs: {
          index: o.cellIds ?? Array.from({ length: cells }, (_, i) => `cell-${i}`),
          columns:
            o.totals === undefined
              ? {}
              : { total_mrna_umis: { kind: "number", dtype: "float32", values: o.totals } },
        },
        var: o.var ?? { index: genes, columns: {} },
      },
      { compression: o.compression ?? "gzip" },
    );
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A form as a CAS client sends it. */
export function casForm(file: Buffer, fields: Record<string, string> = { model_name: "pca" }): FormData {
  const form = new FormData();
  form.set("file", new Blob([new Uint8Array(file)], { type: "application/octet-stream" }), "adata.h5ad");
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  return form;
}
