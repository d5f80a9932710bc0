import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { defineHandler, type JobContext, JobFailure } from "@cytomesh/jobs";
import { sha256Hex, sha256Of } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import {
  type CropsManifest,
  convertRequest,
  type FieldRecord,
  manifestSchema,
  type ShardRecord,
  shardRecordSchema,
} from "../../schemas/convert.ts";
import { type ConvertOptions, convertOptionsOf } from "../../schemas/options.ts";
import { makeSheet } from "../contact/make-sheet.ts";
import type { ImagingDeps } from "../deps.ts";
import { type FieldSource, frozenFields, type JobFields } from "../inputs/fields.ts";
import { errorLines, errorsHeader, failureSummary } from "../jobs/errors-table.ts";
import { type JobFolder, jobFolder, type WrittenTable } from "../jobs/job-folder.ts";
import { dealShards, inLanes, runShards, type Shard } from "../jobs/shards.ts";
import { convertShard, type ModelFile } from "./convert-shard.ts";
import { partFiles } from "./field-output.ts";
import { checkModelFile } from "./models.ts";
import { checkFieldNames } from "./names.ts";
import { checkSources } from "./same-sources.ts";
import {
  allencellHeader,
  cropsHeader,
  opencellHeader,
  pathListHeader,
  sourceLines,
  sourcesHeader,
} from "./tables.ts";

/** Times that a field is tried when a spec does not say. */
const defaultTries = 4;

/** Sources looked at again at the same time, when a complete folder is asked for once more. */
const hashLanes = 8;

/**
 * Convert the fields of a spec in shards, each an item of the job. A failing field is recorded with its reason and the others go on; the job
 * fails at the end, saying which, and what was made of the others stays, with their tables. The same request completes the folder later.
 * `manifest.json` appears only when every field was converted.
 */
export function convertFieldsHandler(deps: ImagingDeps) {
  return defineHandler("convertFields", async (context) => {
    const { spec, signal } = context;
    const options = convertOptionsOf(spec);
    const folder = jobFolder(deps.store, spec.outputUri, signal);
    const claim = () => folder.claim(convertRequest(spec, options));
    const found = await frozenFields(deps.store, spec, deps.limits.maxChannels, claim, signal);
    tellLeftOut(context, found);
    const uris = found.fields.map(({ uri }) => uri);
    checkFieldNames(found.fields, options.recipe);
    const shards = dealShards(uris, spec.shards);
    context.expectItems(shards.length);
    const complete = await folder.read(manifestSchema, "manifest.json");
    if (complete !== undefined)
      return completeAlready(deps, folder, context, shards, complete, options, found.leftOut);
    const dir = await mkdtemp(join(deps.tempDir, "convert-"));
    try {
      const model = await fetchModel(deps, options, dir, signal);
      const records = await everyShard(deps, context, folder, shards, found.fields, options, model);
      return await finish(deps, folder, context, records, options, model, dir, found);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
}

/** Files that a pattern does not fit are no fields, and nobody would look for them in the tables. */
function tellLeftOut(context: JobContext<"convertFields">, { leftOut, leftOutNames }: JobFields): void {
  if (leftOut > 0)
    context.log.warn({ files: leftOut, names: leftOutNames }, "files that belong to no field are left out");
}

async function everyShard(
  deps: ImagingDeps,
  context: JobContext<"convertFields">,
  folder: JobFolder,
  shards: readonly Shard[],
  sources: readonly FieldSource[],
  options: ConvertOptions,
  model: ModelFile | undefined,
): Promise<ShardRecord[]> {
  const total = shards.reduce((sum, shard) => sum + shard.uris.length, 0);
  // One more than there are threads: a field is fetched while the others are worked on.
  const lanes = deps.pool.threads + 1;
  const shardLanes = Math.min(lanes, shards.length);
  let done = 0;
  let crops = 0;
  const tell = () => context.progress({ done, message: `${crops} crop(s)` });
  context.progress({ unit: "fields", total, message: `${total} field(s) in ${shards.length} shard(s)` });
  return runShards(context, {
    shards,
    lanes: shardLanes,
    async load(shard) {
      const found = await folder.read(shardRecordSchema, "records", `${shard.name}.json`);
      for (const { provenance } of found?.fields ?? [])
        checkModel(folder, provenance.modelSha256, model?.sha256);
      return found;
    },
    isFinal: (record) => record.failures.length === 0,
    problem: ({ fields, failures }) =>
      failures[0] && {
        reason: failures[0].reason,
        message: failureSummary(failures, fields.length + failures.length, "field"),
      },
    onDone({ fields, failures }, before) {
      if (!before) return;
      done += fields.length + failures.length;
      for (const field of fields) crops += field.crops;
      tell();
    },
    async run(shard, signal) {
      const record = await convertShard(shard, {
        deps,
        folder,
        options,
        sources,
        model,
        lanes: Math.max(1, Math.floor(lanes / shardLanes)),
        tries: context.spec.triesPerField || defaultTries,
        before: await folder.read(shardRecordSchema, "records", `${shard.name}.json`),
        shown: Math.ceil(options.contactSheetCrops / shards.length),
        signal,
        onRetry: (uri, error) => context.log.warn({ uri, error }, "field failed, trying again"),
        onField(count) {
          done += 1;
          crops += count;
          tell();
        },
      });
      for (const { uri, reason, message } of record.failures)
        context.log.warn({ uri, reason, problem: message }, "field refused");
      return record;
    },
  });
}

/** The model of a StarDist conversion on this machine, as it must be. @throws ImagingError `wrong-model`, `bad-options`. */
async function fetchModel(
  deps: ImagingDeps,
  options: ConvertOptions,
  dir: string,
  signal: AbortSignal,
): Promise<ModelFile | undefined> {
  const choice = options.segmentation;
  if (choice?.method !== "stardist") return undefined;
  const path = join(dir, "model.onnx");
  const { sha256 } = await deps.store.download(choice.modelUri, path, { signal });
  if (choice.modelSha256 !== "" && choice.modelSha256 !== sha256)
    throw new ImagingError(
      "wrong-model",
      `${choice.modelUri}: expected a model with the SHA-256 ${choice.modelSha256}, found ${sha256}`,
    );
  await checkModelFile(choice, path);
  return { path, sha256 };
}

/** One folder holds what one model found. @throws ImagingError `output-conflict`. */
function checkModel(folder: JobFolder, before: unknown, now: string | undefined): void {
  if (before === now) return;
  throw new ImagingError(
    "output-conflict",
    `${folder.uri} holds crops of another model (SHA-256 ${before}, now ${now}); choose another output_uri, or remove that folder`,
  );
}

/** Join the parts of the shards, in the order of the fields, and make the outcome visible. */
async function finish(
  deps: ImagingDeps,
  folder: JobFolder,
  context: JobContext<"convertFields">,
  records: readonly ShardRecord[],
  options: ConvertOptions,
  model: ModelFile | undefined,
  dir: string,
  { fields: inputs, leftOut }: JobFields,
) {
  context.progress({ message: "joining the tables" });
  const failures = records.flatMap((record) => record.failures);
  const joined = (part: string, header: string) => joinParts(deps, folder, records, part, header);
  const tables = [await joined(partFiles.crops, cropsHeader)];
  if (options.recipe !== "generic")
    tables.push(
      await joined(partFiles.metadata, options.recipe === "opencell" ? opencellHeader : allencellHeader),
    );
  if (options.outputs.pathList) tables.push(await joined(partFiles.paths, pathListHeader));
  const fields = records.flatMap((record) => record.fields);
  if (inputs.some(({ channels }) => channels !== undefined))
    tables.push(await folder.writeTable("sources.csv", sourcesHeader, sourceLines(fields)));
  tables.push(await folder.writeTable("errors.csv", errorsHeader, errorLines(failures)));
  const sheetUri = await makeSheet(deps, folder, context, records, options, dir);
  const shards = await Promise.all(
    records.map(async (record) => {
      const name = `${String(record.shard).padStart(5, "0")}.json`;
      const bytes = await deps.store.get(folder.at("records", name), { signal: context.signal });
      return { record: name, sha256: sha256Hex(bytes) };
    }),
  );
  const manifest: CropsManifest = {
    format: "cytomesh-crops/4",
    fields: fields.length,
    emptyFields: fields.filter((field) => field.crops === 0).length,
    crops: fields.reduce((sum, field) => sum + field.crops, 0),
    shards,
    tables,
    modelSha256: model?.sha256 ?? "",
  };
  const result = resultOf(folder, options, manifest, failures.length, sheetUri, leftOut);
  if (failures.length > 0)
    throw new JobFailure(
      "fields-failed",
      failureSummary(failures, fields.length + failures.length, "field"),
      {
        partialResult: result,
      },
    );
  await folder.publish(manifest);
  return result;
}

function resultOf(
  folder: JobFolder,
  options: ConvertOptions,
  manifest: CropsManifest,
  failedFields: number,
  contactSheetUri: string,
  leftOutFiles: number,
) {
  return {
    tableUri: folder.at("crops.csv"),
    crops: BigInt(manifest.crops),
    failedFields,
    metadataUri: options.recipe === "generic" ? "" : folder.at("metadata.csv"),
    errorsUri: failedFields === 0 ? "" : folder.at("errors.csv"),
    contactSheetUri,
    shards: manifest.shards.length,
    emptyFields: manifest.emptyFields,
    leftOutFiles: BigInt(leftOutFiles),
  };
}

/**
 * One table of the parts of all shards. Shards hold fields that were dealt out in turn; rows come by shard, and within one by field, which is
 * as fixed as the list of fields is. A part that is not what its record says is `damaged-output`.
 */
function joinParts(
  deps: ImagingDeps,
  folder: JobFolder,
  records: readonly ShardRecord[],
  part: string,
  header: string,
): Promise<WrittenTable> {
  const pieces = async function* () {
    for (const record of records) {
      const name = `${String(record.shard).padStart(5, "0")}.${part}`;
      const known = record.parts[name];
      if (known === undefined) continue;
      const bytes = await deps.store.get(folder.at("records", name));
      if (sha256Hex(bytes) !== known.sha256)
        throw new ImagingError(
          "damaged-output",
          `${folder.at("records", name)} is not what was written there; remove it with its record and run the job again`,
        );
      yield Buffer.from(bytes).toString();
    }
  };
  return folder.writeTable(part, header, pieces());
}

/**
 * The result of a folder that is complete, if its fields, their labels and the model are still what they were.
 *
 * @throws ImagingError `output-conflict`.
 */
async function completeAlready(
  deps: ImagingDeps,
  folder: JobFolder,
  context: JobContext<"convertFields">,
  shards: readonly Shard[],
  manifest: CropsManifest,
  options: ConvertOptions,
  leftOut: number,
) {
  const { signal } = context;
  const { segmentation } = options;
  if (segmentation?.method === "stardist")
    checkModel(folder, manifest.modelSha256, await sha256Of(deps.store, segmentation.modelUri, { signal }));
  for (const shard of shards) {
    signal.throwIfAborted();
    const record = await folder.read(shardRecordSchema, "records", `${shard.name}.json`);
    const fields = record?.fields ?? [];
    await inLanes(fields.length, hashLanes, (i) =>
      checkSources(deps.store, folder, fields[i] as FieldRecord, options, signal),
    );
    await context.record({ key: shard.key, outcome: "succeeded" });
  }
  const sheet = options.contactSheetCrops > 0 ? folder.at("contact", "index.html") : "";
  return resultOf(folder, options, manifest, 0, sheet, leftOut);
}
