import { open } from "node:fs/promises";
import { join } from "node:path";
import type { JobContext } from "@cytomesh/jobs";
import type { ShardRecord } from "../../schemas/convert.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import { chosen } from "../convert/thumbnail.ts";
import type { ImagingDeps } from "../deps.ts";
import type { JobFolder } from "../jobs/job-folder.ts";
import type { SheetFile, SheetInput } from "./contact-sheet.ts";
import { thumbBytes } from "./sheet-pages.ts";
import { summaryOf } from "./sheet-summary.ts";

/** A crop whose thumbnail a shard has kept. */
interface Candidate {
  readonly record: ShardRecord;
  /** Which of the shard's thumbnails. */
  readonly i: number;
  readonly entry: ShardRecord["sheet"][number];
}

/**
 * Put the contact sheet of a job into `contact/`; returns the URI of its page, empty when there is none. Shards keep a few crops more than
 * the sheet shows; those are left out evenly. Fields come in the order of the listing.
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
  const all = inOrder(records);
  const shown = chosen(all.length, options.contactSheetCrops).map((i) => all[i] as Candidate);
  const thumbs = join(dir, "thumbs.rgb");
  await gatherThumbs(deps, folder, shown, thumbs, signal);
  const input: SheetInput = {
    summary: summaryOf(records, options, shown.length),
    entries: shown.map(({ entry }) => entry),
    thumbs,
  };
  const files = await deps.pool.run<SheetFile[]>("contactSheet", input, { signal });
  for (const { name, type, bytes } of files)
    await deps.store.put(folder.at("contact", name), bytes, { contentType: type, signal });
  return folder.at("contact", "index.html");
}

function inOrder(records: readonly ShardRecord[]): Candidate[] {
  const positions = new Map(
    records.flatMap((record) => record.fields.map((one) => [one.field, one.position] as const)),
  );
  const all = records.flatMap((record) => record.sheet.map((entry, i) => ({ record, i, entry })));
  const positionOf = ({ entry }: Candidate) => positions.get(entry.field) ?? 0;
  return all.sort((a, b) => positionOf(a) - positionOf(b) || a.i - b.i);
}

/** The thumbnails of the crops shown, from the shards' files, one shard in memory at a time. */
async function gatherThumbs(
  deps: ImagingDeps,
  folder: JobFolder,
  shown: readonly Candidate[],
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const byRecord = Map.groupBy(shown.entries(), ([, { record }]) => record);
  await using file = await open(path, "w");
  for (const [record, wanted] of byRecord) {
    const name = `${String(record.shard).padStart(5, "0")}.thumbs.rgb`;
    const strip = await deps.store.get(folder.at("records", name), { signal });
    for (const [target, { i }] of wanted)
      await file.write(strip, i * thumbBytes, thumbBytes, target * thumbBytes);
  }
}
