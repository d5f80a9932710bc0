import { readFile } from "node:fs/promises";
import { createStarDistSegmenter, type Segmenter } from "@cytomesh/segmentation";
import type { ConvertOptions } from "../../schemas/options.ts";
import type { ModelFile } from "./convert-shard.ts";

/** The model that a thread holds: loading one takes longer than many a field. */
let kept: { key: string; segmenter: Promise<Segmenter> } | undefined;

/**
 * The segmenter of a conversion's model, loaded once per thread and kept for the next field; undefined where none is needed.
 *
 * @throws SegmentationError `invalid_model`, `invalid_argument`.
 */
export async function segmenterFor(
  options: ConvertOptions,
  model: ModelFile | undefined,
): Promise<Segmenter | undefined> {
  const choice = options.segmentation;
  if (choice?.method !== "stardist" || model === undefined) return undefined;
  const { probThreshold, nmsThreshold, blockSize, minOverlap } = choice;
  const settings = {
    blockSize,
    minOverlap,
    ...(probThreshold === undefined ? {} : { probThreshold }),
    ...(nmsThreshold === undefined ? {} : { nmsThreshold }),
  };
  const key = JSON.stringify([model.sha256, settings]);
  if (kept?.key !== key) {
    const before = kept;
    kept = { key, segmenter: load(model, settings) };
    await before?.segmenter.then((segmenter) => segmenter.close()).catch(() => undefined);
  }
  try {
    return await kept.segmenter;
  } catch (error) {
    if (kept?.key === key) kept = undefined;
    throw error;
  }
}

async function load(
  model: ModelFile,
  settings: NonNullable<Parameters<typeof createStarDistSegmenter>[1]>,
): Promise<Segmenter> {
  return createStarDistSegmenter(new Uint8Array(await readFile(model.path)), settings);
}
