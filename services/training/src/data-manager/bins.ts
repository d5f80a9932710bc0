import type { Curriculum } from "@cytomesh/contracts/catalog/v1/resources";
import { CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import { joinUri, type ObjectStore, withLocalFiles } from "@cytomesh/object-store";
import { type BinsManifest, fetchBinsManifest } from "@cytomesh/omics-store";
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
  return fetchBinsManifest(store, storeLayout(storeUri).bins(curriculum.name), signal);
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
  return withLocalFiles(
    o.store,
    uris,
    (paths) =>
      use(bins.map(({ bin, sha256, cells }, i) => ({ bin, sha256, cells, path: paths[i] as string }))),
    { tmpDir: o.tempDir, signal: o.signal },
  );
}
