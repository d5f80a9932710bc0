import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { AnnDataError } from "../errors.ts";

/** The bytes of a file, inflated when they are gzip; what they are is told by the first two, not by the name. */
export async function* textChunks(path: string): AsyncGenerator<Uint8Array> {
  const raw = createReadStream(path, { highWaterMark: 1024 * 1024 });
  let body: Readable = raw;
  let piping: Promise<void> | undefined;
  if (isGzip(path)) {
    body = new PassThrough({ highWaterMark: 1024 * 1024 });
    piping = pipeline(raw, createGunzip({ chunkSize: 256 * 1024 }), body as PassThrough);
    // Whoever reads `body` hears of the failure; this keeps it from being reported as unhandled before that.
    piping.catch(() => undefined);
  }
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
    await piping;
  } catch (cause) {
    throw fileError(path, cause);
  } finally {
    raw.destroy();
    body.destroy();
  }
}

/** All lines of a small text, without their ends; a last empty one is left out. */
export async function textLines(path: string, maxBytes: number): Promise<string[]> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of textChunks(path)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new AnnDataError("too-large", `${path} is longer than ${maxBytes} bytes`);
    parts.push(chunk);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch (cause) {
    throw new AnnDataError("invalid", `${path} is not UTF-8 text`, { cause });
  }
  const lines = text.split(/\r?\n/);
  while (lines.at(-1) === "") lines.pop();
  return lines;
}

function isGzip(path: string): boolean {
  const head = Buffer.alloc(2);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    throw fileError(path, cause);
  }
  try {
    readSync(file, head, 0, 2, 0);
  } finally {
    closeSync(file);
  }
  return head[0] === 0x1f && head[1] === 0x8b;
}

export function fileError(path: string, cause: unknown): unknown {
  if (cause instanceof AnnDataError || !(cause instanceof Error)) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT") return new AnnDataError("file-not-found", `there is no file ${path}`, { cause });
  if (code === "EACCES" || code === "EPERM")
    return new AnnDataError("permission-denied", `${path} may not be read`, { cause });
  if (code === "Z_BUF_ERROR")
    return new AnnDataError(
      "truncated",
      `${path}: the gzip stream ends in the middle; copy or download it again`,
      { cause },
    );
  if (code.startsWith("Z_"))
    return new AnnDataError("corrupt", `${path}: the gzip stream is damaged: ${cause.message}`, { cause });
  return cause;
}
