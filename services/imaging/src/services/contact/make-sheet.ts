import { open } from "node:fs/promises";
import { join } from "node:path";
import type { JobContext } from "@cytomesh/jobs";
import type { ShardRecord } from "../../schemas/convert.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import { chosen, thumbSize } from "../convert/thumbnail.ts";
import type { ImagingDeps } from "../deps.ts";
import type { JobFolder } from "../jobs/job-folder.ts";
import type { SheetFile, SheetInput } from "./contact-sheet.ts";

/**
 * Put the contact sheet of a job into `contact/`; returns the URI of its page, empty when there is none. Shards keep a few crops more than
 * the sheet shows; those are left out evenly.
 */
export async function makeSheet(
  deps: ImagingDeps,
  folder: JobFolder,
  context: JobContext<"convertFields">,
  records: readonly ShardRecord[],
  options: ConvertOptions,
  dir: string,
): Promise<string> {
  if (options.contactSheetCrops === 0) return "";
  const { signal } = context;
  const all = records.flatMap((record) => record.sheet.map((entry, i) => ({ entry, record, i })));
  const shown = chosen(all.length, options.contactSheetCrops).map((i) => all[i] as (typeof all)[number]);
  const thumbs = join(dir, "thumbs.rgb");
  await gatherThumbs(deps, folder, shown, thumbs, signal);
  const fields = records.flatMap((record) => record.fields);
  const failed = records.flatMap((record) => record.failures);
  const input: SheetInput = {
    summary: {
      recipe: options.recipe,
      segmentation: options.segmentation?.method ?? "none, every file is a cell",
      fields: fields.length + failed.length,
      emptyFields: fields.filter((field) => field.crops === 0).length,
      failed: [...failed].sort((a, b) => a.position - b.position),
      crops: fields.reduce((sum, field) => sum + field.crops, 0),
    },
    entries: shown.map(({ entry }) => entry),
    thumbs,
  };
  const files = await deps.pool.run<SheetFile[]>("contactSheet", input, { signal });
  for (const { name, type, bytes } of files)
    await deps.store.put(folder.at("contact", name), bytes, { contentType: type, signal });
  return folder.at("contact", "index.html");
}

/** The thumbnails of the crops shown, from the shards' files, one shard in memory at a time. */
async function gatherThumbs(
  deps: ImagingDeps,
  folder: JobFolder,
  shown: readonly { readonly record: ShardRecord; readonly i: number }[],
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const bytes = thumbSize * thumbSize * 3;
  await using file = await open(path, "w");
  let at: ShardRecord | undefined;
  let strip = new Uint8Array(0);
  for (const { record, i } of shown) {
    if (record !== at) {
      const name = `${String(record.shard).padStart(5, "0")}.thumbs.rgb`;
      strip = new Uint8Array(await deps.store.get(folder.at("records", name), { signal }));
      at = record;
    }
    await file.write(strip.subarray(i * bytes, (i + 1) * bytes));
  }
}
