import { createHash } from "node:crypto";
import { joinUri, type ObjectStore, putOnce, sha256Hex } from "@cytomesh/object-store";
import type { z } from "zod";
import { ImagingError } from "../../errors.ts";

/** A table that was written. */
export interface WrittenTable {
  readonly file: string;
  readonly sha256: string;
  readonly size: number;
  readonly rows: number;
}

/** The largest record or manifest that is read back. */
const maxJsonBytes = 256 * 1024 * 1024;

/** What every job of this service does with its output folder. `request.json` claims it, `manifest.json` says that it is complete. */
export interface JobFolder {
  readonly uri: string;
  at(...parts: string[]): string;
  /**
   * Take the folder for a request. The same request may come again.
   *
   * @throws ImagingError `output-conflict` when the folder belongs to another request.
   */
  claim(request: object): Promise<void>;
  /** A JSON object of the folder, or undefined when there is none. @throws ImagingError `damaged-output`. */
  read<T>(schema: z.ZodType<T>, ...parts: string[]): Promise<T | undefined>;
  write(value: object, ...parts: string[]): Promise<void>;
  /** Text piece by piece, as one object, which appears whole. */
  writeTable(file: string, header: string, pieces: AsyncIterable<string>): Promise<WrittenTable>;
  /** Make the job's outcome visible as complete. @throws ImagingError `output-conflict`. */
  publish(manifest: object): Promise<void>;
}

/** The output folder of a job. */
export function jobFolder(store: ObjectStore, uri: string, signal: AbortSignal): JobFolder {
  const at = (...parts: string[]) => joinUri(uri, ...parts);
  const json = { contentType: "application/json", signal };
  return {
    uri,
    at,
    async claim(request) {
      const body = text(request);
      const standing = await putOnce(store, at("request.json"), body, json);
      if (standing !== undefined && Buffer.from(standing).toString() !== body)
        throw new ImagingError(
          "output-conflict",
          `${uri} holds the output of another request (${differences(body, Buffer.from(standing).toString())}); choose another output_uri, or remove that folder`,
        );
    },
    async read(schema, ...parts) {
      const where = at(...parts);
      if ((await store.head(where, { signal })) === undefined) return undefined;
      const bytes = await store.get(where, { signal, maxBytes: maxJsonBytes });
      try {
        return schema.parse(JSON.parse(Buffer.from(bytes).toString()));
      } catch (cause) {
        throw new ImagingError(
          "damaged-output",
          `${where} is not what this service writes there; remove it, or run the job again into another folder`,
          { cause },
        );
      }
    },
    async write(value, ...parts) {
      await store.put(at(...parts), text(value), json);
    },
    async writeTable(file, header, pieces) {
      const hash = createHash("sha256");
      let size = 0;
      let rows = 0;
      const body = async function* () {
        yield Buffer.from(header);
        for await (const piece of pieces) yield Buffer.from(piece);
      };
      const counted = async function* () {
        for await (const bytes of body()) {
          hash.update(bytes);
          size += bytes.length;
          for (const byte of bytes) if (byte === 10) rows += 1;
          yield bytes;
        }
      };
      await store.put(at(file), counted(), { contentType: "text/csv", signal });
      return { file, sha256: hash.digest("hex"), size, rows: Math.max(0, rows - 1) };
    },
    async publish(manifest) {
      const body = text(manifest);
      const standing = await putOnce(store, at("manifest.json"), body, json);
      if (standing !== undefined && sha256Hex(standing) !== sha256Hex(body))
        throw new ImagingError(
          "output-conflict",
          `${uri} already holds another outcome of the same request: a file has changed since; choose another output_uri, or remove that folder`,
        );
    },
  };
}

function text(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** The first fields that differ, for a message. */
function differences(wanted: string, found: string): string {
  try {
    const [a, b] = [flat(JSON.parse(wanted)), flat(JSON.parse(found))];
    const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));
    return `differing in ${names.slice(0, 5).join(", ")}${names.length > 5 ? " and more" : ""}`;
  } catch {
    return "written by something else";
  }
}

function flat(value: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (typeof value === "object" && value !== null)
    for (const [key, one] of Object.entries(value)) flat(one, path === "" ? key : `${path}.${key}`, into);
  else into.set(path, JSON.stringify(value));
  return into;
}
