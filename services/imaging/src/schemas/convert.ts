import type { ConvertFieldsSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { sha256Hex } from "@cytomesh/object-store";
import { z } from "zod";
import { channelPattern } from "./channel-pattern.ts";
import { listingRequest } from "./listing.ts";
import type { ConvertOptions } from "./options.ts";
import { failureSchema } from "./stage.ts";

/** What a file may cost. */
export interface ReadLimits {
  /** Pixels per plane at most. */
  readonly maxPixels: number;
  /** Channels at most: those of the file, times samples. */
  readonly maxChannels: number;
  /** Bytes of all channels of a field as 16 bits, at most. */
  readonly maxFieldBytes: number;
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();

/** A file of a field that lies in several. */
const sourceFileSchema = z.object({ channel: z.string(), z: count, uri: z.string(), sha256 });

/** A file of a field that lies in several. */
export type SourceFile = z.infer<typeof sourceFileSchema>;

/** A converted field: what it was, what was made of it, how. */
const fieldRecordSchema = z.object({
  uri: z.string(),
  /** Position in the list of fields. */
  position: count,
  /** Name of the field in crop files. */
  field: z.string(),
  /** Of the source file; where there are several, of a line `<sha256>  <name>\n` for each. */
  sha256,
  /** The files of a field that lies in several, in their order. */
  sources: z.array(sourceFileSchema).optional(),
  width: count,
  height: count,
  channels: count,
  channelNames: z.array(z.string()),
  /** 0: not known. */
  umPerPx: z.number(),
  crops: count,
  cropSizePx: count,
  /** Objects found, before filters. */
  found: count,
  /** Of all its files: number, bytes, and the SHA-256 of the lines `<sha256>  <path>\n` in the order in which they were made. */
  files: z.object({ files: count, bytes: count, sha256 }),
  /** Method, model and settings of the segmentation. */
  provenance: z.looseObject({ method: z.string() }),
  /** Of the label image of the caller; empty without. */
  labelsSha256: z.string(),
  warnings: z.array(z.string()),
});

/** A converted field. */
export type FieldRecord = z.infer<typeof fieldRecordSchema>;

/** A caption of the contact sheet. */
const sheetEntrySchema = z.object({
  field: z.string(),
  label: count,
  crop: z.string(),
  areaPx: count,
  cropPx: count,
  umPerPx: z.number(),
  probability: z.number(),
  flags: z.array(z.string()),
});

const tablePart = z.object({ sha256, size: count });

/** What became of a shard: `records/<shard>.json`, written last. Its parts of the tables lie beside it. */
export const shardRecordSchema = z.object({
  shard: count,
  fields: z.array(fieldRecordSchema),
  failures: z.array(failureSchema),
  /** What those that failed were when an earlier job made crops of them, which are still there. */
  earlier: z.array(fieldRecordSchema),
  /** By file name: `<shard>.crops.csv` and so on. */
  parts: z.record(z.string(), tablePart),
  sheet: z.array(sheetEntrySchema),
});

/** What became of a shard. */
export type ShardRecord = z.infer<typeof shardRecordSchema>;

/** The request of a spec as its folder keeps it. Equal specs give equal requests. */
export function convertRequest(spec: ConvertFieldsSpec, options: ConvertOptions): object {
  const { listing } = spec;
  return {
    format: "cytomesh-crops/4",
    uris: spec.uris.length,
    urisSha256: sha256Hex(spec.uris.map((uri) => `${uri}\n`).join("")),
    listing: listing === undefined ? null : listingRequest(listing),
    shards: spec.shards,
    ...(spec.channelPattern === "" ? {} : { channelPattern: channelPattern(spec.channelPattern) }),
    options,
  };
}

/** The last thing in an output folder: it is complete once this is there. */
export const manifestSchema = z.object({
  format: z.literal("cytomesh-crops/4"),
  fields: count,
  emptyFields: count,
  crops: count,
  shards: z.array(z.object({ record: z.string(), sha256 })),
  tables: z.array(z.object({ file: z.string(), sha256, size: count, rows: count })),
  modelSha256: z.string(),
});

/** The manifest of a complete conversion. */
export type CropsManifest = z.infer<typeof manifestSchema>;
