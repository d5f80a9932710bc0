import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { getJson, joinUri, type ObjectStore, sha256Of } from "@cytomesh/object-store";
import { ImagingError } from "../errors.ts";
import {
  type ConvertRequest,
  type CropsManifest,
  type FieldRecord,
  manifestSchema,
  requestSchema,
} from "../schemas/convert.ts";

/** Uploads of one field at the same time: hides the latency of a remote store. */
const uploads = 8;

/** A manifest of the most fields that a job may have, with long URIs. */
const maxManifestBytes = 512 * 1024 * 1024;

/** The folder that a conversion writes: `request.json`, `crops/`, `fields/`, `crops.csv`, and last `manifest.json`. */
export interface CropsFolder {
  readonly tableUri: string;
  /**
   * Take the folder for a request. The same request may come again.
   *
   * @throws ImagingError `output-conflict` when it holds, or is about to hold, the crops of another request.
   */
  claim(request: ConvertRequest): Promise<void>;
  /** The manifest of a conversion that is complete. */
  manifest(): Promise<CropsManifest | undefined>;
  /** Put the crops of a field, then its table. */
  putField(field: string, localDir: string, signal: AbortSignal): Promise<void>;
  /** Is the table of a field there as it was written? */
  hasTable(record: FieldRecord): Promise<boolean>;
  /** Join the tables of fields, in order. @throws ImagingError `damaged-output`. */
  putTable(records: readonly FieldRecord[], header: string): Promise<CropsManifest["table"]>;
  /** Make the conversion visible as complete. @throws ImagingError `output-conflict`. */
  publish(manifest: CropsManifest): Promise<void>;
}

/** The folder at a URI. */
export function cropsFolder(store: ObjectStore, uri: string, signal: AbortSignal): CropsFolder {
  const at = (...parts: string[]) => joinUri(uri, ...parts);
  const tableOf = (field: string) => at("fields", `${field}.csv`);
  const readTable = async (record: FieldRecord, header: string): Promise<Uint8Array> => {
    const bytes = await store.get(tableOf(record.field), { signal });
    if (sha256(bytes) === record.tableSha256) return bytes.subarray(Buffer.byteLength(header));
    throw new ImagingError(
      "damaged-output",
      `${tableOf(record.field)} is not the table that was written for ${record.uri}; run the conversion again into another folder`,
    );
  };
  const putOnce = async (name: string, value: object, same: (text: string) => boolean, problem: string) => {
    try {
      await store.put(at(name), text(value), { ifAbsent: true, contentType: "application/json", signal });
    } catch (error) {
      if ((error as { tag?: string }).tag !== "object-exists") throw error;
      if (!same(Buffer.from(await store.get(at(name), { signal })).toString()))
        throw new ImagingError("output-conflict", `${uri} ${problem}; choose another output_uri`);
    }
  };
  return {
    tableUri: at("crops.csv"),
    claim: (request) =>
      putOnce(
        "request.json",
        request,
        (found) => sameRequest(found, request),
        "holds the crops of another request (other files, crop_size_px, min_area_px or nucleus_channel)",
      ),
    async manifest() {
      if ((await store.head(at("manifest.json"), { signal })) === undefined) return undefined;
      const value = await getJson(store, at("manifest.json"), { signal, maxBytes: maxManifestBytes });
      return manifestSchema.parse(value);
    },
    async putField(field, localDir, fieldSignal) {
      const names = (await readdir(join(localDir, "crops"))).sort();
      const lane = async () => {
        for (let name = names.pop(); name !== undefined; name = names.pop())
          await store.putFile(at("crops", name), join(localDir, "crops", name), {
            contentType: "image/png",
            signal: fieldSignal,
          });
      };
      await Promise.all(Array.from({ length: uploads }, lane));
      await store.putFile(tableOf(field), join(localDir, "table.csv"), {
        contentType: "text/csv",
        signal: fieldSignal,
      });
    },
    async hasTable(record) {
      const table = tableOf(record.field);
      if ((await store.head(table, { signal })) === undefined) return false;
      return (await sha256Of(store, table, { signal })) === record.tableSha256;
    },
    async putTable(records, header) {
      const hash = createHash("sha256");
      let size = 0;
      const body = async function* () {
        const parts = [Buffer.from(header), ...records];
        for (const part of parts) {
          const bytes = part instanceof Uint8Array ? part : await readTable(part, header);
          hash.update(bytes);
          size += bytes.length;
          yield bytes;
        }
      };
      await store.put(at("crops.csv"), body(), { contentType: "text/csv", signal });
      return { file: "crops.csv", sha256: hash.digest("hex"), size };
    },
    publish: (manifest) =>
      putOnce(
        "manifest.json",
        manifest,
        (found) => found === text(manifest),
        "already holds other crops of the same request: a file has changed since",
      ),
  };
}

function text(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function sameRequest(found: string, request: ConvertRequest): boolean {
  try {
    return text(requestSchema.parse(JSON.parse(found))) === text(requestSchema.parse(request));
  } catch {
    return false;
  }
}
