import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { version } from "@duckdb/node-api";

export const MANIFEST = "manifest.json";

/** The Parquet bytes depend on the DuckDB that wrote them, so manifests name it. */
export const createdBy = (): string => `cytomesh omics-store 1 (DuckDB ${version()})`;

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export async function describeFile(
  dir: string,
  name: string,
): Promise<{ name: string; bytes: number; sha256: string }> {
  const path = join(dir, name);
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return { name, bytes: (await stat(path)).size, sha256: hash.digest("hex") };
}

export const sha256Hex = (data: string | Uint8Array): string =>
  createHash("sha256").update(data).digest("hex");

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
