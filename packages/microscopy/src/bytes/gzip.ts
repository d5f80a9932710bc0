import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { MicroscopyError } from "../errors.ts";
import type { ByteSource, ReadLimits } from "../types.ts";
import { bytesSource } from "./source.ts";

/** Pixels seldom pack to less than a hundredth; small files may, and harm nobody. */
const maxRatio = 100;
const anyRatioBelow = 64 * 1024 * 1024;

/**
 * What a file named `.gz` holds, unpacked in memory, as it cannot be read in pieces; undefined for what has another name or is no gzip.
 *
 * @throws MicroscopyError `too-large`, `truncated`, `corrupt`.
 */
export async function unpackedGzip(
  source: ByteSource,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<ByteSource | undefined> {
  const { uri, size } = source;
  if (!/\.gz$/i.test(uri) || size < 18) return undefined;
  const start = await source.read(0, 2, signal);
  if (start[0] !== 0x1f || start[1] !== 0x8b) return undefined;
  const maxOutputLength = Math.min(limits.maxFileBytes, Math.max(anyRatioBelow, maxRatio * size));
  if (size > limits.maxFileBytes)
    throw new MicroscopyError("too-large", `${uri}: ${size} bytes, the limit is ${limits.maxFileBytes}`);
  const packed = await source.read(0, size, signal);
  try {
    const bytes = await promisify(gunzip)(packed, { maxOutputLength });
    return bytesSource(new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length), uri);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE")
      throw new MicroscopyError("too-large", `${uri}: unpacks to more than ${maxOutputLength} bytes`, {
        cause,
      });
    throw new MicroscopyError(
      code === "Z_BUF_ERROR" ? "truncated" : "corrupt",
      `${uri}: expected gzip, found ${message}`,
      { cause },
    );
  }
}
