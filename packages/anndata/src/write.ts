import { createSink } from "./create-sink.ts";
import { encode, writeElement } from "./elements/write-element.ts";
import { AnnDataError } from "./errors.ts";
import { arrayElement, frameElement, type MissingStrings, treeElement } from "./from-input.ts";
import { checkKey } from "./keys.ts";
import { asAnnDataError } from "./source.ts";
import type { Sink, StorageFormat } from "./storage.ts";
import type { AlignedInput, AnnDataInput, CsrRows, CsrStream, RawInput, WriteOptions } from "./types.ts";
import { writeMatrix } from "./write-matrix.ts";

/**
 * Writes an AnnData file that anndata 0.8 and later open, under a temporary name that is put in place at the end. The bytes depend on
 * the input alone: the same input, in the same batches, gives the same file.
 *
 * @throws AnnDataError "invalid-argument" | "permission-denied" | "write-failed"
 */
export async function writeAnnData(
  path: string,
  input: AnnDataInput,
  options: WriteOptions & { format?: StorageFormat } = {},
): Promise<void> {
  try {
    const sink = createSink(path, options.format ?? "h5ad", options);
    try {
      await writeAll(sink, input, options);
      await sink.finish();
    } catch (error) {
      await sink.abort();
      throw error;
    }
  } catch (error) {
    throw asAnnDataError(error);
  }
}

/** `writeAnnData` as `.h5ad`. */
export async function writeH5ad(
  path: string,
  input: AnnDataInput,
  options: WriteOptions = {},
): Promise<void> {
  return writeAnnData(path, input, { ...options, format: "h5ad" });
}

async function writeAll(sink: Sink, input: AnnDataInput, options: WriteOptions): Promise<void> {
  const missing = options.missingStrings ?? "categorical";
  const nObs = input.obs.index.length;
  const nVar = input.var.index.length;
  const cells = `obs has ${nObs} cells`;
  const genes = `var has ${nVar} genes`;
  // Small parts first: what is wrong with them shows before a long matrix is written.
  const obs = frameElement(input.obs, "/obs", missing);
  const vars = frameElement(input.var, "/var", missing);
  encode(sink, "/", "anndata");
  if (input.x !== undefined) await writeMatrix(sink, "/X", input.x, [nObs, nVar], layoutOf(options));
  await writeLayers(sink, input, [nObs, nVar], options);
  await writeElement(sink, "/obs", obs);
  await writeElement(sink, "/var", vars);
  await writeAligned(sink, "/obsm", input.obsm, [nObs], cells, missing);
  await writeAligned(sink, "/varm", input.varm, [nVar], genes, missing);
  await writeAligned(sink, "/obsp", input.obsp, [nObs, nObs], cells, missing);
  await writeAligned(sink, "/varp", input.varp, [nVar, nVar], genes, missing);
  await writeElement(sink, "/uns", treeElement(input.uns ?? {}, "/uns"));
  if (input.raw !== undefined) await writeRaw(sink, input.raw, nObs, options, missing);
}

function layoutOf(options: WriteOptions) {
  return {
    format: options.xFormat ?? "csr",
    dtype: options.xDtype ?? "float32",
    tempDir: options.tempDir,
  } as const;
}

function dict(sink: Sink, where: string): void {
  sink.group(where);
  encode(sink, where, "dict");
}

async function writeLayers(
  sink: Sink,
  input: AnnDataInput,
  shape: readonly [number, number],
  options: WriteOptions,
): Promise<void> {
  dict(sink, "/layers");
  for (const [key, rows] of Object.entries(input.layers ?? {})) {
    checkKey("/layers", key);
    const dtype = "data" in rows && rows.data instanceof Float32Array ? "float32" : "float64";
    const layout = { ...layoutOf(options), dtype: options.layerDtypes?.[key] ?? dtype };
    await writeMatrix(sink, `/layers/${key}`, rows, shape, layout);
  }
}

async function writeRaw(
  sink: Sink,
  raw: RawInput,
  nObs: number,
  options: WriteOptions,
  missing: MissingStrings,
): Promise<void> {
  const nVar = raw.var.index.length;
  sink.group("/raw");
  encode(sink, "/raw", "raw");
  await writeElement(sink, "/raw/var", frameElement(raw.var, "/raw/var", missing));
  await writeAligned(sink, "/raw/varm", raw.varm, [nVar], `raw.var has ${nVar} genes`, missing);
  await writeMatrix(sink, "/raw/X", raw.x, [nObs, nVar], layoutOf(options));
}

/** obsm, varm, obsp or varp. */
async function writeAligned(
  sink: Sink,
  where: string,
  entries: Readonly<Record<string, AlignedInput>> = {},
  lengths: readonly number[],
  what: string,
  missing: MissingStrings,
): Promise<void> {
  dict(sink, where);
  for (const [key, entry] of Object.entries(entries)) {
    checkKey(where, key);
    const at = `${where}/${key}`;
    if (isMatrix(entry)) await writeSparse(sink, at, entry, lengths, what);
    else if ("index" in entry) {
      if (entry.index.length !== lengths[0] || lengths.length > 1) {
        throw new AnnDataError("invalid-argument", `${at} has ${entry.index.length} rows, but ${what}`);
      }
      await writeElement(sink, at, frameElement(entry, at, missing));
    } else await writeElement(sink, at, arrayElement(entry, at.slice(1), lengths, what));
  }
}

function isMatrix(entry: AlignedInput): entry is CsrRows | CsrStream {
  return "batches" in entry || "indptr" in entry;
}

async function writeSparse(
  sink: Sink,
  where: string,
  entry: CsrRows | CsrStream,
  lengths: readonly number[],
  what: string,
): Promise<void> {
  const [rows, columns] = "batches" in entry ? entry.shape : [entry.nRows, entry.nCols];
  if (rows !== lengths[0] || columns !== (lengths[1] ?? columns)) {
    throw new AnnDataError("invalid-argument", `${where} has shape [${rows},${columns}], but ${what}`);
  }
  const dtype = "data" in entry && entry.data instanceof Float32Array ? "float32" : "float64";
  await writeMatrix(sink, where, entry, [rows, columns], { format: "csr", dtype });
}
