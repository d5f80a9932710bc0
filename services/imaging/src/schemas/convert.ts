import { createHash } from "node:crypto";
import type { ConvertFieldsSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { z } from "zod";

/** What a file may cost. */
export interface ReadLimits {
  /** Pixels per page at most. */
  readonly maxPixels: number;
  /** Pages times samples at most. */
  readonly maxChannels: number;
  /** Time to decode one page, in ms. */
  readonly timeoutMs: number;
}

/** The options of a spec that change what is written for a field, as plain data that crosses threads. */
export interface ConvertOptions {
  readonly nucleusChannel: number;
  readonly cropSizePx: number;
  readonly minAreaPx: number;
}

/** The options of a spec, with its unset fields filled in. */
export function convertOptionsOf(spec: ConvertFieldsSpec): ConvertOptions {
  return {
    nucleusChannel: spec.nucleusChannel,
    cropSizePx: spec.cropSizePx === 0 ? 256 : spec.cropSizePx,
    minAreaPx: spec.minAreaPx === 0 ? 100 : spec.minAreaPx,
  };
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();

/** A converted field: checkpoint of its item, and its entry in the manifest. */
export const fieldRecordSchema = z.object({
  uri: z.string(),
  /** Name of the field in crop and table files. */
  field: z.string(),
  /** Of the source file. */
  sha256,
  width: count,
  height: count,
  channels: count,
  /** Otsu's threshold of the blurred nucleus channel; objects are brighter. */
  threshold: z.number(),
  /** Objects cropped; each has one PNG per channel. */
  crops: count,
  tableSha256: sha256,
  /** Of the lines `<sha256>  <file>\n` (as `sha256sum` writes them) of all its PNG files, by channel, then label. */
  cropsSha256: sha256,
});

/** A converted field. */
export type FieldRecord = z.infer<typeof fieldRecordSchema>;

/** What a conversion was asked for; the first thing in an output folder, which claims it. */
export const requestSchema = z.object({
  format: z.literal("cytomesh-crops/1"),
  method: z.literal("classical"),
  nucleusChannel: count,
  cropSizePx: count,
  minAreaPx: count,
  fields: count,
  /** Of the URIs in order, one per line. */
  urisSha256: sha256,
});

/** What a conversion was asked for. */
export type ConvertRequest = z.infer<typeof requestSchema>;

/** The request of a spec. Equal specs give equal requests. */
export function requestOf(uris: readonly string[], options: ConvertOptions): ConvertRequest {
  const urisSha256 = createHash("sha256");
  for (const uri of uris) urisSha256.update(`${uri}\n`);
  return {
    format: "cytomesh-crops/1",
    method: "classical",
    ...options,
    fields: uris.length,
    urisSha256: urisSha256.digest("hex"),
  };
}

/** The last thing in an output folder: it is complete once this is there. */
export const manifestSchema = z.object({
  request: requestSchema,
  crops: count,
  table: z.object({ file: z.literal("crops.csv"), sha256, size: count }),
  fields: z.array(fieldRecordSchema),
});

/** The manifest of a complete conversion. */
export type CropsManifest = z.infer<typeof manifestSchema>;

/** Name of a field in files: the file's own name, made safe, and a hash of its URI, as two folders may hold the same name. */
export function fieldNameOf(uri: string): string {
  const base = decodeURIComponentOrSame(uri.slice(uri.lastIndexOf("/") + 1)).replace(/(\.ome)?\.[^.]*$/i, "");
  const safe = base
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 80);
  return `${safe === "" ? "field" : safe}-${createHash("sha256").update(uri).digest("hex").slice(0, 8)}`;
}

function decodeURIComponentOrSame(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
