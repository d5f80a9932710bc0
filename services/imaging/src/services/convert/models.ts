import type { Segmenter } from "@cytomesh/segmentation";
import { ImagingError } from "../../errors.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import type { ModelFile } from "./convert-shard.ts";

/** The segmenter of a conversion's model; undefined where none is needed. @throws ImagingError `wrong-model`. */
export async function segmenterFor(
  options: ConvertOptions,
  model: ModelFile | undefined,
): Promise<Segmenter | undefined> {
  if (options.segmentation?.method !== "stardist" || model === undefined) return undefined;
  throw new ImagingError("wrong-model", "StarDist models cannot be run by this version");
}
