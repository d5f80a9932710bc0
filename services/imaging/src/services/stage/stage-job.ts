import type { StageSpec } from "@cytomesh/contracts/jobs/v1/imaging";
import { defineHandler, describeFailure, type JobContext, JobFailure } from "@cytomesh/jobs";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import { type FileFailure, type StageRecord, stageRecordSchema, stageRequest } from "../../schemas/stage.ts";
import type { ImagingDeps } from "../deps.ts";
import { frozenFiles, nameOf } from "../inputs/find-files.ts";
import { errorLines, errorsHeader, failureSummary } from "../jobs/errors-table.ts";
import { type JobFolder, jobFolder } from "../jobs/job-folder.ts";
import { dealShards, inLanes, runShards, type Shard, withRetries } from "../jobs/shards.ts";
import { csvLine } from "../tables/csv.ts";
import { copyImage, pathOf } from "./copy.ts";

/** Copies at the same time when a spec does not say, as the published pipeline has it. */
const defaultParallel = 16;

/** Times that a copy is tried. */
const triesPerFile = 5;

/** A shard's record is kept this often while it is worked on, so that an attempt that is cut off repeats little. */
const saveEveryMs = 10_000;

/**
 * Copy files between stores into shard folders, many at a time, each with the SHA-256 of what was read. Names that would meet are refused
 * before anything is copied. A file that fails does not stop the others; the job fails at the end, and the same request completes it.
 */
export function stageHandler(deps: ImagingDeps) {
  return defineHandler("stage", async (context) => {
    const { spec, signal } = context;
    const folder = jobFolder(deps.store, spec.outputUri, signal);
    const claim = () => folder.claim(stageRequest(spec));
    const uris = await frozenFiles(deps.store, spec.outputUri, spec, claim, signal);
    const names = targetNames(uris, spec);
    const shards = dealShards(uris, spec.shards);
    const parallel = spec.parallel || defaultParallel;
    context.expectItems(shards.length);
    let done = 0;
    let bytes = 0;
    context.progress({ unit: "files", total: uris.length, message: `${uris.length} file(s)` });
    const records = await runShards(context, {
      shards,
      lanes: parallel,
      load: (shard) => folder.read(stageRecordSchema, "records", `${shard.name}.json`),
      isFinal: (record) => record.failures.length === 0,
      problem: ({ files, failures }) =>
        failures[0] && {
          reason: failures[0].reason,
          message: failureSummary(failures, files.length + failures.length, "file"),
        },
      onDone(record) {
        done += record.files.length + record.failures.length;
        for (const file of record.files) bytes += file.bytes;
        context.progress({ done, message: `${bytes} bytes` });
      },
      run: (shard, shardSignal) =>
        stageShard(deps.store, folder, shard, {
          names,
          lanes: Math.ceil(parallel / Math.min(parallel, shards.length)),
          signal: shardSignal,
          context,
        }),
    });
    return finish(folder, spec, records, shards.length);
  });
}

async function finish(folder: JobFolder, spec: StageSpec, records: readonly StageRecord[], shards: number) {
  const files = records.flatMap((record) => record.files).sort((a, b) => a.position - b.position);
  const failures = records.flatMap((record) => record.failures);
  const lines = async function* () {
    for (const { uri, path, bytes, sha256 } of files)
      yield csvLine([uri, joinUri(spec.outputUri, ...path.split("/")), bytes, sha256]);
  };
  const table = await folder.writeTable("staged.csv", "source,uri,bytes,sha256\n", lines());
  const errors = await folder.writeTable("errors.csv", errorsHeader, errorLines(failures));
  const result = {
    tableUri: folder.at("staged.csv"),
    files: BigInt(files.length),
    bytes: BigInt(files.reduce((sum, file) => sum + file.bytes, 0)),
    failedFiles: failures.length,
    shards,
  };
  if (failures.length > 0)
    throw new JobFailure("files-failed", failureSummary(failures, files.length + failures.length, "file"), {
      partialResult: result,
    });
  await folder.publish({
    format: "cytomesh-staged/1",
    files: files.length,
    bytes: Number(result.bytes),
    shards,
    table,
    errors,
  });
  return result;
}

/**
 * The path of every file within its shard: its name, or what follows the prefix.
 *
 * @throws ImagingError `name-collision` when two files would have one path, in whichever shards.
 */
function targetNames(uris: readonly string[], spec: StageSpec): string[] {
  const prefix = spec.listing?.prefixUri ?? "";
  const owners = new Map<string, string>();
  const clashes: string[] = [];
  const names = uris.map((uri) => {
    const name =
      spec.keepPaths && uri.startsWith(prefix)
        ? pathOf(uri, uri.slice(prefix.length).replace(/^\/+/, ""))
        : nameOf(uri);
    const other = owners.get(name);
    if (other !== undefined) clashes.push(`${other} and ${uri}`);
    owners.set(name, uri);
    return name;
  });
  if (clashes.length > 0)
    throw new ImagingError(
      "name-collision",
      `${clashes.length} file(s) share a name with another: ${clashes.slice(0, 5).join(" | ")}; set keep_paths, or narrow the listing`,
    );
  return names;
}

async function stageShard(
  store: ObjectStore,
  folder: JobFolder,
  shard: Shard,
  o: { names: readonly string[]; lanes: number; signal: AbortSignal; context: JobContext<"stage"> },
): Promise<StageRecord> {
  const { signal, context } = o;
  const begun = await folder.read(stageRecordSchema, "records", `${shard.name}.json`);
  const partial = begun ?? (await folder.read(stageRecordSchema, "records", `${shard.name}.partial.json`));
  const copied = new Map((partial?.files ?? []).map((file) => [file.position, file]));
  const failures: FileFailure[] = [];
  const recordOf = (): StageRecord => ({
    shard: shard.number,
    files: [...copied.values()].sort((a, b) => a.position - b.position),
    failures: failures.sort((a, b) => a.position - b.position),
  });
  let saved = Date.now();
  let saves = 0;
  await inLanes(shard.uris.length, o.lanes, async (i) => {
    signal.throwIfAborted();
    const uri = shard.uris[i] as string;
    const position = shard.positions[i] as number;
    if (copied.has(position)) return;
    const path = `shards/${shard.name}/${o.names[position] as string}`;
    let tries = 0;
    try {
      const file = await withRetries(
        triesPerFile,
        signal,
        (attempt) => {
          tries = attempt;
          return copyImage(store, uri, joinUri(folder.uri, ...path.split("/")), signal);
        },
        (error) => context.log.warn({ uri, error }, "copy failed, trying again"),
      );
      copied.set(position, { uri, position, path, ...file });
    } catch (error) {
      signal.throwIfAborted();
      const { reason, message } = describeFailure(error);
      context.log.warn({ uri, reason, problem: message }, "file refused");
      failures.push({ uri, position, reason, message, tries });
    }
    if (Date.now() - saved > saveEveryMs) {
      saved = Date.now();
      saves += 1;
      await folder.write({ ...recordOf(), failures: [] }, "records", `${shard.name}.partial.json`);
    }
  });
  await folder.write(recordOf(), "records", `${shard.name}.json`);
  if (saves > 0 || partial !== undefined)
    await store.delete(folder.at("records", `${shard.name}.partial.json`), { signal });
  return recordOf();
}
