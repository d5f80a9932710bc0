import type { ShardRecord } from "../../schemas/convert.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import { nucleusFirst } from "../convert/field-output.ts";
import { nameOf } from "../inputs/find-files.ts";

/** What a sheet says about its job. */
export interface SheetSummary {
  readonly recipe: string;
  readonly segmentation: string;
  /** All that were converted, in the order of the listing. */
  readonly fields: readonly SheetField[];
  readonly failed: readonly { readonly uri: string; readonly reason: string; readonly message: string }[];
  readonly crops: number;
  /** Crops on the sheet. */
  readonly shown: number;
}

/** What a sheet says about a field. */
export interface SheetField {
  /** On the sheet, from 1. */
  readonly number: number;
  /** As in `SheetEntry.field`. */
  readonly field: string;
  readonly uri: string;
  /** File name. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** 0: not known. */
  readonly umPerPx: number;
  /** In the order of their colours on the sheet. */
  readonly channels: readonly string[];
  /** Objects found, before filters. */
  readonly found: number;
  readonly crops: number;
  readonly warnings: readonly string[];
}

/** The summary of a job from the records of its shards. */
export function summaryOf(
  records: readonly ShardRecord[],
  options: ConvertOptions,
  shown: number,
): SheetSummary {
  const fields = records.flatMap((record) => record.fields).sort((a, b) => a.position - b.position);
  return {
    recipe: options.recipe,
    segmentation: options.segmentation?.method ?? "none, every file is a cell",
    fields: fields.map((one, i) => ({
      number: i + 1,
      field: one.field,
      uri: one.uri,
      name: nameOf(one.uri),
      width: one.width,
      height: one.height,
      umPerPx: one.umPerPx,
      channels: nucleusFirst(one.channels, options.nucleusChannel).map((c) => one.channelNames[c] ?? `c${c}`),
      found: one.found,
      crops: one.crops,
      warnings: one.warnings,
    })),
    failed: records.flatMap((record) => record.failures).sort((a, b) => a.position - b.position),
    crops: fields.reduce((sum, field) => sum + field.crops, 0),
    shown,
  };
}

/** "7 fields" */
export function fieldCount({ fields, failed }: Pick<SheetSummary, "fields" | "failed">): string {
  return plural(fields.length + failed.length, "field");
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** How often each reason occurs, the most frequent first. */
export function failureCounts(failed: SheetSummary["failed"]): string {
  const counts = new Map<string, number>();
  for (const { reason } of failed) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
    .map(([reason, count]) => `${count} ${reason}`)
    .join(", ");
}
