import "@fastify/multipart";
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { formatBytes } from "@cytomesh/config";
import type { FastifyRequest } from "fastify";
import { EdgeError } from "../../edge/errors.ts";

/** A form with a file, received. */
export interface ReceivedForm {
  /** Where the file is. */
  readonly path: string;
  readonly bytes: number;
  /** The other parts. */
  readonly fields: ReadonlyMap<string, string>;
  /** Delete the file. */
  remove(): Promise<void>;
}

/** Bounds on everything in a form but the file. */
const formLimits = {
  files: 1,
  fields: 32,
  parts: 40,
  fieldSize: 64 * 1024,
  fieldNameSize: 200,
  headerPairs: 40,
};

const tooLarge = (maxBytes: number) =>
  new EdgeError(
    "upload-too-large",
    `the upload is larger than the ${formatBytes(maxBytes)} allowed; send fewer cells at a time`,
  );

/**
 * Receive a multipart form whose part `file` goes to disk, in a new folder below `tempDir`. The parts may come in any order. The
 * folder is gone when this throws.
 *
 * @throws EdgeError `unsupported-media-type`, `bad-request` (not multipart, cut off), `bad-form` (no file), `upload-too-large`
 */
export async function receiveForm(
  request: FastifyRequest,
  o: { tempDir: string; maxBytes: number; signal: AbortSignal },
): Promise<ReceivedForm> {
  const folder = await openFolder(request, o);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    return { ...(await receiveInto(folder, request, o)), remove };
  } catch (reason) {
    await remove();
    throw reason;
  }
}

async function openFolder(
  request: FastifyRequest,
  o: { tempDir: string; maxBytes: number; signal: AbortSignal },
): Promise<string> {
  if (!request.isMultipart())
    throw new EdgeError(
      "unsupported-media-type",
      "expected multipart/form-data with the part `file`, an .h5ad file",
    );
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > o.maxBytes + formLimits.parts * formLimits.fieldSize) throw tooLarge(o.maxBytes);
  o.signal.throwIfAborted();
  return mkdtemp(join(o.tempDir, folderPrefix));
}

async function receiveInto(
  folder: string,
  request: FastifyRequest,
  o: { maxBytes: number; signal: AbortSignal },
): Promise<Omit<ReceivedForm, "remove">> {
  const fields = new Map<string, string>();
  const path = join(folder, "upload.h5ad");
  let bytes: number | undefined;
  try {
    for await (const part of request.parts({ limits: { ...formLimits, fileSize: o.maxBytes } })) {
      if (part.type === "field") {
        if (part.valueTruncated === true || part.fieldnameTruncated === true)
          throw new EdgeError(
            "bad-form",
            `the part ${JSON.stringify(part.fieldname)} is longer than ${formLimits.fieldSize} bytes`,
          );
        fields.set(part.fieldname, String(part.value));
        continue;
      }
      if (part.fieldname !== "file")
        throw new EdgeError(
          "bad-form",
          `unexpected file part ${JSON.stringify(part.fieldname)}: the file belongs into the part \`file\``,
        );
      const target = createWriteStream(path);
      await pipeline(part.file, target, { signal: o.signal });
      if (part.file.truncated) throw tooLarge(o.maxBytes);
      bytes = target.bytesWritten;
    }
  } catch (reason) {
    throw o.signal.aborted ? o.signal.reason : asFormError(reason);
  }
  if (bytes === undefined) throw missing("file");
  return { path, bytes, fields };
}

const folderPrefix = "upload-";

/** Delete what a process that was killed left behind: folders of uploads that no request can still have. */
export async function removeStaleUploads(tempDir: string, olderThanMs: number): Promise<void> {
  for (const name of await readdir(tempDir)) {
    if (!name.startsWith(folderPrefix)) continue;
    const folder = join(tempDir, name);
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > olderThanMs)
      await rm(folder, { recursive: true, force: true });
  }
}

/** A form field that is not there. */
export function missing(field: string): EdgeError {
  return new EdgeError("bad-form", `the form has no part \`${field}\``, {
    violations: [{ field, description: "Field required" }],
  });
}

function asFormError(reason: unknown): unknown {
  if (reason instanceof EdgeError) return reason;
  const { code, message } = reason as { code?: string; message?: string };
  if (code === "FST_FILES_LIMIT")
    return new EdgeError("bad-form", "expected one file, found more", { cause: reason });
  // What the multipart parser says about forms that are cut off or malformed; disk errors have a `syscall` and are ours.
  if (!(reason instanceof Error) || "syscall" in reason) return reason;
  return new EdgeError("bad-request", `the multipart form cannot be read: ${message}`, { cause: reason });
}
