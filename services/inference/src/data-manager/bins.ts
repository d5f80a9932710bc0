import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Curriculum, CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import { getJson, joinUri, type ObjectStore } from "@cytomesh/object-store";
import { type BinsManifest, parseBinsManifest } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import { InferenceError } from "../errors.ts";

/** The bins of an extracted curriculum. */
export async function readBinsManifest(
  store: ObjectStore,
  storeUri: string,
  curriculum: Curriculum,
  signal: AbortSignal,
): Promise<BinsManifest> {
  if (curriculum.state !== CurriculumState.EXTRACTED)
    throw new InferenceError(
      "not-extracted",
      `curriculum ${curriculum.name} has no bins yet; run an extract job first`,
    );
  const uri = joinUri(storeLayout(storeUri).bins(curriculum.name), "manifest.json");
  return parseBinsManifest(await getJson(store, uri, { signal }), uri);
}

/** Have files on the local disk while `use` runs: in place for `file://`, downloaded and removed again otherwise. */
export async function withLocalFiles<T>(
  o: { store: ObjectStore; tempDir: string; signal: AbortSignal },
  uris: readonly string[],
  use: (paths: string[]) => Promise<T>,
): Promise<T> {
  const inPlace = uris.map((uri) => o.store.localPath(uri));
  if (inPlace.every((path) => path !== undefined)) return use(inPlace);
  const dir = await mkdtemp(join(o.tempDir, "files-"));
  try {
    const paths: string[] = [];
    for (const [i, uri] of uris.entries()) {
      const path = join(dir, String(i));
      await o.store.download(uri, path, { signal: o.signal });
      paths.push(path);
    }
    return await use(paths);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
