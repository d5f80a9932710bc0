import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import { defineHandler, describeFailure, type JobContext, JobFailure } from "@cytomesh/jobs";
import { type CropsFolder, cropsFolder } from "../data-manager/outputs.ts";
import { convertOptionsOf, type FieldRecord, fieldRecordSchema, requestOf } from "../schemas/convert.ts";
import type { ImagingDeps } from "./deps.ts";
import { type FoundCrops, oneField, presentFields } from "./one-field.ts";
import { tableHeader } from "./table.ts";

/** A field that was not converted. */
interface FailedField {
  readonly uri: string;
  readonly message: string;
}

/**
 * Convert the fields of a spec, each an item of the job, as many at a time as there are threads. A failing field is recorded with its reason
 * and the others go on; the job fails at the end, saying which, and what was made of the others stays, with their table. A failure that
 * may pass (network, disk) ends the attempt; the next one goes on from there. The manifest appears only when every field was converted.
 */
export function convertFieldsHandler(deps: ImagingDeps) {
  return defineHandler("convertFields", async (context) => {
    const { spec, signal } = context;
    const folder = cropsFolder(deps.store, spec.outputUri, signal);
    const options = convertOptionsOf(spec);
    const request = requestOf(spec.uris, options);
    await folder.claim(request);
    context.expectItems(spec.uris.length);
    context.progress({ unit: "fields", total: spec.uris.length, message: `${spec.uris.length} field(s)` });
    const found = await presentFields(folder, spec.outputUri);
    const fields = await everyField(deps, context, folder, found);
    const records = fields.filter((field): field is FieldRecord => "sha256" in field);
    const failed = fields.filter((field): field is FailedField => "message" in field);
    const crops = records.reduce((sum, record) => sum + record.crops, 0);
    // A complete folder is never written to again.
    const table =
      records.length === 0 || found.complete ? undefined : await folder.putTable(records, tableHeader);
    const tableUri = records.length === 0 ? "" : folder.tableUri;
    const result = { tableUri, crops: BigInt(crops), failedFields: failed.length };
    if (failed.length > 0)
      throw new JobFailure("fields-failed", summary(failed, fields.length), { partialResult: result });
    if (table !== undefined) await folder.publish({ request, crops, table, fields: records });
    return result;
  });
}

/** All fields in the order of the spec, a few at a time. */
async function everyField(
  deps: ImagingDeps,
  context: JobContext<"convertFields">,
  folder: CropsFolder,
  found: FoundCrops,
): Promise<(FieldRecord | FailedField)[]> {
  const { uris } = context.spec;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const fields = new Array<FieldRecord | FailedField>(uris.length);
  let next = 0;
  let done = 0;
  let crops = 0;
  const lane = async () => {
    while (next < uris.length) {
      signal.throwIfAborted();
      const position = next++;
      const field = await itemOf(deps, context, folder, found, uris[position] as string, signal);
      fields[position] = field;
      if ("crops" in field) crops += field.crops;
      context.progress({ done: ++done, message: `${crops} crop(s) of ${done} of ${uris.length} field(s)` });
    }
  };
  const lanes = Array.from({ length: Math.min(deps.pool.threads, uris.length) }, async () => {
    try {
      await lane();
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  // Every lane has ended before this does, so that nothing is still being written when the attempt is reported.
  const ends = await Promise.allSettled(lanes);
  if (ends.some((end) => end.status === "rejected")) throw context.signal.reason ?? stop.signal.reason;
  return fields;
}

/** One item: what an earlier attempt recorded, if that is final, or the field converted now. */
async function itemOf(
  deps: ImagingDeps,
  context: JobContext<"convertFields">,
  folder: CropsFolder,
  found: FoundCrops,
  uri: string,
  signal: AbortSignal,
): Promise<FieldRecord | FailedField> {
  const earlier = await earlierOutcome(context, folder, uri);
  if (earlier !== undefined) return earlier;
  await context.record({ key: uri, outcome: "running" });
  try {
    const record = await oneField(deps, folder, found, {
      uri,
      options: convertOptionsOf(context.spec),
      signal,
    });
    await context.record({
      key: uri,
      outcome: "succeeded",
      checkpoint: Buffer.from(JSON.stringify(record)),
    });
    return record;
  } catch (error) {
    signal.throwIfAborted();
    const failure = describeFailure(error);
    if (failure.retryable && context.attempt < context.job.maxAttempts) throw error;
    const { reason, message } = failure;
    context.log.warn({ uri, reason, problem: message }, "field refused");
    await context.record({
      key: uri,
      outcome: "failed",
      error: { reason, message: message.slice(0, 4_000) },
    });
    return { uri, message };
  }
}

async function earlierOutcome(
  context: JobContext<"convertFields">,
  folder: CropsFolder,
  uri: string,
): Promise<FieldRecord | FailedField | undefined> {
  const item = context.items.get(uri);
  if (item?.state === ItemState.FAILED) return { uri, message: item.error?.message ?? "it failed before" };
  if (item?.state !== ItemState.SUCCEEDED || item.checkpoint.length === 0) return undefined;
  const record = fieldRecordSchema.parse(JSON.parse(Buffer.from(item.checkpoint).toString()));
  return (await folder.hasTable(record)) ? record : undefined;
}

function summary(failed: readonly FailedField[], total: number): string {
  const shown = failed
    .slice(0, 10)
    .map(({ uri, message }) => (message.includes(uri) ? message : `${uri}: ${message}`));
  const more = failed.length > shown.length ? ` | and ${failed.length - shown.length} more` : "";
  return `${failed.length} of ${total} field(s) failed: ${shown.join(" | ")}${more}`;
}
