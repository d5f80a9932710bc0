import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Curriculum } from "@cytomesh/contracts/catalog/v1/resources";
import { CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import { getJson, joinUri, type ObjectStore } from "@cytomesh/object-store";
import { type BinsManifest, parseBinsManifest } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import { TrainingError } from "../errors.ts";

/** A bin that lies on the local disk. */
export interface LocalBin {
  readonly bin: number;
  readonly path: string;
  readonly sha256: string;
  readonly cells: number;
}

/** The bins of an extracted curriculum. */
export async function readBinsManifest(
  store: ObjectStore,
  storeUri: string,
  curriculum: Curriculum,
  signal: AbortSignal,
): Promise<BinsManifest> {
  if (curriculum.state !== CurriculumState.EXTRACTED)
    throw new TrainingError(
      "not-extracted",
      `curriculum ${curriculum.name} has no bins yet; run an extract job first`,
    );
  const uri = joinUri(storeLayout(storeUri).bins(curriculum.name), "manifest.json");
  return parseBinsManifest(await getJson(store, uri, { signal }), uri);
}

/** Have bins on the local disk while `use` runs: in place for `file://`, downloaded and removed again otherwise. */
export async function withLocalBins<T>(
  o: { store: ObjectStore; storeUri: string; tempDir: string; signal: AbortSignal },
  manifest: BinsManifest,
  bins: BinsManifest["bins"],
  use: (bins: LocalBin[]) => Promise<T>,
): Promise<T> {
  const root = storeLayout(o.storeUri).bins(manifest.curriculum);
  const uris = bins.map((bin) => joinUri(root, bin.file));
  const inPlace = uris.map((uri) => o.store.localPath(uri));
  const describe = (paths: readonly string[]) =>
    bins.map(({ bin, sha256, cells }, i) => ({ bin, sha256, cells, path: paths[i] as string }));
  if (inPlace.every((path) => path !== undefined)) return use(describe(inPlace));
  const dir = await mkdtemp(join(o.tempDir, "bins-"));
  try {
    const paths: string[] = [];
    for (const [i, uri] of uris.entries()) {
      const path = join(dir, String(i));
      await o.store.download(uri, path, { signal: o.signal });
      paths.push(path);
    }
    return await use(describe(paths));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
