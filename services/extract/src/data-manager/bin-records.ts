import { getJson, joinUri, type ObjectStore, putJson } from "@cytomesh/object-store";
import { type BinsManifest, binFileName, parseBinsManifest } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";

/** Records read at a time. */
const readAhead = 16;

/** What is kept about a bin, as the manifest of the bins lists it. */
export type BinEntry = BinsManifest["bins"][number];

/**
 * What is known about the bins of a curriculum that lie in the store. Kept beside them and not with a job, so that bins written by several
 * jobs add up.
 */
export interface BinRecords {
  /** Entries of bins whose file is there, by bin. Throws OmicsStoreError `corrupt`. */
  all(): Promise<Map<number, BinEntry>>;
  /** Keep an entry; the file of the bin is in the store already. */
  put(entry: BinEntry): Promise<void>;
}

/** Records of the bins of a curriculum. Those of another curriculum that had the name do not count. */
export function binRecords(
  store: ObjectStore,
  storeUri: string,
  curriculum: { readonly name: string; readonly manifestSha256: string },
  signal: AbortSignal,
): BinRecords {
  const layout = storeLayout(storeUri);
  const root = layout.binRecords(curriculum.name);
  const read = async (uri: string) => parseBinsManifest(await getJson(store, uri, { signal }), uri);
  return {
    async all() {
      const sizes = new Map<string, number>();
      for await (const { uri, size } of store.list(`${layout.bins(curriculum.name)}/`, { signal }))
        sizes.set(uri.slice(uri.lastIndexOf("/") + 1), size);
      const uris: string[] = [];
      for await (const { uri } of store.list(`${root}/`, { signal })) uris.push(uri);
      const found = new Map<number, BinEntry>();
      for (let from = 0; from < uris.length; from += readAhead) {
        const records = await Promise.all(uris.slice(from, from + readAhead).map(read));
        for (const { curriculumManifestSha256, bins } of records)
          for (const entry of bins)
            if (
              curriculumManifestSha256 === curriculum.manifestSha256 &&
              sizes.get(binFileName(entry.bin)) === entry.bytes
            )
              found.set(entry.bin, entry);
      }
      return found;
    },
    async put(entry) {
      const record: BinsManifest = {
        version: 1,
        curriculum: curriculum.name,
        curriculumManifestSha256: curriculum.manifestSha256,
        cells: entry.cells,
        bins: [entry],
      };
      await putJson(store, joinUri(root, `${entry.bin}.json`), record, { indent: 0, signal });
    },
  };
}
