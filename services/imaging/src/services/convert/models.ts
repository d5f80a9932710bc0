import { readFile } from "node:fs/promises";
import {
  checkStarDist,
  createStarDistSegmenter,
  SegmentationError,
  type Segmenter,
  type StarDistOptions,
} from "@cytomesh/segmentation";
import { ImagingError } from "../../errors.ts";
import type { ConvertOptions, SegmentationChoice } from "../../schemas/options.ts";
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
  const settings = settingsOf(choice);
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

/**
 * Looks at the model of a conversion once, before the fields: each of them would fail by it.
 *
 * @throws ImagingError `wrong-model`, `bad-options`.
 */
export async function checkModelFile(choice: StarDistChoice, path: string): Promise<void> {
  const { channelsIn } = await readable(choice, path);
  if (channelsIn !== 1)
    throw new ImagingError(
      "wrong-model",
      `${choice.modelUri}: expected a model for one channel, the nuclei, found one for ${channelsIn}`,
    );
}

async function readable(choice: StarDistChoice, path: string) {
  try {
    return checkStarDist(new Uint8Array(await readFile(path)), settingsOf(choice)).config;
  } catch (error) {
    if (!(error instanceof SegmentationError)) throw error;
    const tag = error.tag === "invalid_argument" ? "bad-options" : "wrong-model";
    throw new ImagingError(tag, `${choice.modelUri}: ${error.message}`, { cause: error });
  }
}

type StarDistChoice = Extract<SegmentationChoice, { method: "stardist" }>;

function settingsOf({ probThreshold, nmsThreshold, blockSize, minOverlap }: StarDistChoice): StarDistOptions {
  return {
    blockSize,
    minOverlap,
    ...(probThreshold === undefined ? {} : { probThreshold }),
    ...(nmsThreshold === undefined ? {} : { nmsThreshold }),
  };
}

async function load(model: ModelFile, settings: StarDistOptions): Promise<Segmenter> {
  return createStarDistSegmenter(new Uint8Array(await readFile(model.path)), settings);
}
