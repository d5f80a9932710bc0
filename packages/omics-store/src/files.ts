import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { version } from "@duckdb/node-api";

export const MANIFEST = "manifest.json";

/** The bytes of a curriculum's files depend on the DuckDB that wrote them, so its manifest names it. */
export const createdBy = (): string => `cytomesh omics-store 1 (DuckDB ${version()})`;

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** SHA-256 (lower-case hex) and size of a local file. */
export async function hashFile(
  path: string,
  signal?: AbortSignal,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        signal?.throwIfAborted();
        hash.update(chunk);
        bytes += chunk.length;
      }
    },
  );
  return { sha256: hash.digest("hex"), bytes };
}

export async function describeFile(
  dir: string,
  name: string,
): Promise<{ name: string; bytes: number; sha256: string }> {
  const { sha256, bytes } = await hashFile(join(dir, name));
  // The order of the keys is the order in manifests, whose bytes are compared.
  return { name, bytes, sha256 };
}

/** Whole or not at all: a temporary file, synced, then renamed. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, "w");
  try {
    await file.writeFile(`${JSON.stringify(value, null, 1)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
