import type { ObjectStore } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { FieldRecord } from "../../schemas/convert.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import type { JobFolder } from "../jobs/job-folder.ts";
import { labelsUriOf } from "./names.ts";
import { hashOfSource } from "./open-hashed.ts";

/**
 * Is a field that the folder has crops of, and its label image, what it was then? Crops of another content would be mixed with them.
 *
 * @throws ImagingError `output-conflict`; errors of the store.
 */
export async function checkSources(
  store: ObjectStore,
  folder: JobFolder,
  { uri, sha256, sources, labelsSha256 }: FieldRecord,
  { segmentation }: ConvertOptions,
  signal: AbortSignal,
): Promise<void> {
  const same = async (source: string, before: string) => {
    const now = await hashOfSource(store, source, signal);
    if (now !== before)
      throw new ImagingError(
        "output-conflict",
        `${folder.uri} holds crops of another content of ${source} (SHA-256 ${before}, now ${now}); choose another output_uri`,
      );
  };
  for (const source of sources ?? [{ uri, sha256 }]) await same(source.uri, source.sha256);
  if (segmentation?.method === "labels")
    await same(labelsUriOf(segmentation.pattern, uri, sources !== undefined), labelsSha256);
}
