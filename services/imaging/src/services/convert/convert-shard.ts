import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { describeFailure } from "@cytomesh/jobs";
import { sha256Hex } from "@cytomesh/object-store";
import type { FieldRecord, ShardRecord } from "../../schemas/convert.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import type { FileFailure } from "../../schemas/stage.ts";
import type { ImagingDeps } from "../deps.ts";
import type { FieldSource } from "../inputs/fields.ts";
import type { JobFolder } from "../jobs/job-folder.ts";
import { inLanes, type Shard, withRetries } from "../jobs/shards.ts";
import { archivePart, type ConvertedField, type ConvertInput } from "./convert-field.ts";
import { partFiles, type SheetEntry } from "./field-output.ts";
import { fieldNameOf } from "./names.ts";
import { checkSources } from "./same-sources.ts";
import { tarEnd } from "./tar.ts";

/** How a shard is converted. */
export interface ShardConversion {
  readonly deps: ImagingDeps;
  readonly folder: JobFolder;
  readonly options: ConvertOptions;
  /** Of the whole job, by position. */
  readonly sources: readonly FieldSource[];
  readonly model: ModelFile | undefined;
  /** Fields at the same time. */
  readonly lanes: number;
  readonly tries: number;
  /** What an earlier job left of the shard, some of whose fields had failed. */
  readonly before: ShardRecord | undefined;
  /** Crops of the whole shard for the contact sheet. */
  readonly shown: number;
  readonly signal: AbortSignal;
  readonly onRetry: (uri: string, error: unknown) => void;
  readonly onField: (crops: number) => void;
}

/** A model on this machine. */
export interface ModelFile {
  readonly path: string;
  readonly sha256: string;
}

/** Parts of tables that a shard may have, by name. */
const tableParts = [partFiles.crops, partFiles.metadata, partFiles.paths] as const;

/**
 * Convert the fields of a shard, a few at a time, and put what they became: crops, its part of every table, its archive, its `.h5sc`, its
 * thumbnails, and last its record. A field that fails is recorded and the others go on; what may pass is tried again first.
 */
export async function convertShard(shard: Shard, o: ShardConversion): Promise<ShardRecord> {
  const { deps, folder, options, signal } = o;
  const dir = await mkdtemp(join(deps.tempDir, "shard-"));
  try {
    const outcomes = await inLanes(shard.uris.length, o.lanes, async (i) => {
      signal.throwIfAborted();
      const outcome = await oneField(shard, i, dir, o);
      o.onField("crops" in outcome.made ? outcome.made.crops : 0);
      return outcome;
    });
    const made = outcomes.flatMap(({ dir: at, made: one }) => ("crops" in one ? [{ dir: at, ...one }] : []));
    const failures = outcomes.flatMap(({ made: one }) => ("reason" in one ? [one] : []));
    const parts: ShardRecord["parts"] = {};
    const put = async (name: string, bytes: Uint8Array, type: string) => {
      await deps.store.put(folder.at("records", name), bytes, { contentType: type, signal });
      parts[name] = { sha256: sha256Hex(bytes), size: bytes.length };
    };
    for (const part of tableParts) {
      const texts = await Promise.all(made.map((field) => readIfThere(join(field.dir, part))));
      if (texts.some((text) => text !== undefined))
        await put(
          `${shard.name}.${part}`,
          Buffer.concat(texts.filter((text) => text !== undefined)),
          "text/csv",
        );
    }
    if (options.outputs.archive) await putArchive(shard, dir, made, o);
    if (options.outputs.h5sc) await putH5sc(shard, dir, made, o);
    const sheet: SheetEntry[] = made.flatMap((field) => field.sheet);
    if (sheet.length > 0) {
      const thumbs = await Promise.all(made.map((field) => readIfThere(join(field.dir, partFiles.thumbs))));
      await put(
        `${shard.name}.thumbs.rgb`,
        Buffer.concat(thumbs.filter((bytes) => bytes !== undefined)),
        "application/octet-stream",
      );
    }
    const record: ShardRecord = {
      shard: shard.number,
      fields: made.map(({ dir: _, sheet: __, ...field }) => field),
      failures,
      earlier: failures.flatMap(({ uri }) => earlierOf(o.before, uri) ?? []),
      parts,
      sheet: sheet.map((entry) => ({ ...entry, flags: [...entry.flags] })),
    };
    await folder.write(record, "records", `${shard.name}.json`);
    return record;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

type Made = FieldRecord & { readonly sheet: readonly SheetEntry[] };

function earlierOf(before: ShardRecord | undefined, uri: string): FieldRecord | undefined {
  return [...(before?.fields ?? []), ...(before?.earlier ?? [])].find((one) => one.uri === uri);
}

/** A field, tried as often as it may pass. */
async function oneField(
  shard: Shard,
  i: number,
  shardDir: string,
  o: ShardConversion,
): Promise<{ dir: string; made: Made | FileFailure }> {
  const { deps, options, signal } = o;
  const uri = shard.uris[i] as string;
  const position = shard.positions[i] as number;
  const source = o.sources[position] as FieldSource;
  const field = fieldNameOf(source, options.recipe);
  const before = earlierOf(o.before, uri);
  let dir = "";
  let tries = 0;
  try {
    const made = await withRetries(
      o.tries,
      signal,
      async (attempt) => {
        tries = attempt;
        if (before !== undefined) await checkSources(deps.store, o.folder, before, options, signal);
        // A folder of its own for every try: what a broken one left does not count.
        dir = join(shardDir, `${i}.${attempt}`);
        const input: ConvertInput & TaskExtras = {
          ...source,
          field,
          options,
          limits: deps.limits,
          outputUri: o.folder.uri,
          outDir: dir,
          shown: Math.ceil(o.shown / shard.uris.length),
          store: deps.storeSettings,
          ...(o.model === undefined ? {} : { model: o.model }),
        };
        return deps.pool.run<ConvertedField>("convert", input, { signal });
      },
      (error) => o.onRetry(uri, error),
      deps.firstPauseMs,
    );
    return { dir, made: { uri, position, field, ...(made as Omit<Made, "uri" | "position" | "field">) } };
  } catch (error) {
    signal.throwIfAborted();
    const { reason, message } = describeFailure(error);
    return { dir, made: { uri, position, reason, message, tries } };
  }
}

/** What the task needs besides the conversion's own input. */
export interface TaskExtras {
  readonly store: ImagingDeps["storeSettings"];
  readonly model?: ModelFile;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The archive parts of the fields, one after the other. */
async function putArchive(
  shard: Shard,
  dir: string,
  made: readonly { readonly dir: string }[],
  o: ShardConversion,
): Promise<void> {
  const path = join(dir, "crops.tar");
  const out = createWriteStream(path);
  const parts = async function* () {
    for (const field of made) {
      const part = join(field.dir, archivePart);
      if (await exists(part)) yield* createReadStream(part);
    }
    yield tarEnd;
  };
  await pipeline(parts(), out);
  await o.deps.store.putFile(o.folder.at("crops", `${shard.name}.tar`), path, {
    contentType: "application/x-tar",
    signal: o.signal,
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** One file for the cells of one shape and of channels of the same names: mostly one, `<shard>.h5sc`, else also `<shard>-2.h5sc` and so on. */
async function putH5sc(
  shard: Shard,
  dir: string,
  made: readonly (FieldRecord & { readonly dir: string })[],
  o: ShardConversion,
): Promise<void> {
  // A file of no cells has no shape.
  const alike = Map.groupBy(
    made.filter((field) => field.crops > 0),
    ({ cropSizePx, channelNames }) => JSON.stringify([cropSizePx, channelNames]),
  );
  for (const [i, group] of [...alike.values()].entries()) {
    const path = join(dir, `${i}.h5sc`);
    const fields = group.map((field) => ({
      ...field,
      cells: join(field.dir, partFiles.cells),
      rows: join(field.dir, partFiles.crops),
    }));
    const input = { path, fields, channelNames: group[0]?.channelNames ?? [] };
    await o.deps.pool.run("h5sc", input, { signal: o.signal });
    const name = `${shard.name}${i === 0 ? "" : `-${i + 1}`}.h5sc`;
    await o.deps.store.putFile(o.folder.at("crops", name), path, {
      contentType: "application/x-hdf5",
      signal: o.signal,
    });
    await rm(path);
  }
}
