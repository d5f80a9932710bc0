import { SegmentationError } from "../errors.ts";
import { checkImage, maxPixels, pause } from "../image.ts";
import { measure } from "../labels.ts";
import type {
  Instance,
  Pixels,
  Segmentation,
  SegmentContext,
  Segmenter,
  StarDistProvenance,
} from "../types.ts";
import { type Block, coverAxis, isResponsible, onGrid } from "./blocks.ts";
import { divisorOf, structuralReach } from "./config.ts";
import { findCandidates, renderPolygons, type StarPolygons, starPolygons } from "./instances.ts";
import { type Network, type Normalization, openNetwork, readModel, type StarDistModel } from "./model.ts";
import { normalizePixels } from "./normalize.ts";
import { predictTiled } from "./tiles.ts";

export interface StarDistOptions {
  /** Default: those of the model. */
  readonly probThreshold?: number;
  readonly nmsThreshold?: number;
  /** Default: that of the model. */
  readonly normalization?: Normalization;
  /** Side of the blocks that are predicted one by one, default 512; "whole" predicts the image as one. */
  readonly blockSize?: number | "whole";
  /** Objects have to be smaller, default 64. */
  readonly minOverlap?: number;
  /** Default: what the network was measured to need. */
  readonly context?: number;
  /** An object that no block can answer for: "refuse" the image (default), as StarDist does, or "drop" it with a warning. */
  readonly largeObjects?: "refuse" | "drop";
  /** Threads of the network, default 1. */
  readonly threads?: number;
}

/** Settings with every default filled in. */
interface Settings {
  readonly probThreshold: number;
  readonly nmsThreshold: number;
  readonly normalization: Normalization;
  readonly blockSize: number | "whole";
  readonly minOverlap: number;
  readonly context: number;
  readonly dropLarge: boolean;
}

/**
 * A StarDist 2D segmenter of a model that `importModel` made: normalise → predict block by block → non-maximum suppression → labels, by the
 * rules of StarDist's `predict_instances_big`; fields smaller than a block are one block. Label 1 is the most probable object of the first
 * block, and so on block by block in row-major order. Networks of several channels take pixels plane after plane.
 *
 * Calls block their thread while the network runs: use it in a worker thread.
 *
 * @throws SegmentationError `invalid_model`, `invalid_argument`
 */
export async function createStarDistSegmenter(
  onnx: Uint8Array,
  options: StarDistOptions = {},
): Promise<Segmenter> {
  const model = readModel(onnx);
  const settings = settingsOf(model, options);
  const network = await openNetwork(onnx, model.config, options.threads);
  return {
    method: "stardist",
    segment: (pixels, width, height, context = {}) =>
      segmentStarDist(network, model, settings, pixels, width, height, context),
    close: () => network.close(),
  };
}

/**
 * The model that `createStarDistSegmenter` would run, and whether it would with these options, without loading the network.
 *
 * @throws SegmentationError `invalid_model`, `invalid_argument`
 */
export function checkStarDist(onnx: Uint8Array, options: StarDistOptions = {}): StarDistModel {
  const model = readModel(onnx);
  const settings = settingsOf(model, options);
  const { blockSize } = settings;
  if (blockSize !== "whole")
    for (const grid of divisorOf(model.config)) coverAxis(1, { ...settings, blockSize }, grid);
  return model;
}

function settingsOf(model: StarDistModel, options: StarDistOptions): Settings {
  const settings = {
    probThreshold: options.probThreshold ?? model.thresholds.prob,
    nmsThreshold: options.nmsThreshold ?? model.thresholds.nms,
    normalization: options.normalization ?? model.normalization,
    blockSize: options.blockSize ?? 512,
    minOverlap: options.minOverlap ?? 64,
    context: options.context ?? model.reachPx,
    dropLarge: options.largeObjects === "drop",
  };
  for (const name of ["probThreshold", "nmsThreshold"] as const)
    if (!(settings[name] >= 0 && settings[name] <= 1))
      throw new SegmentationError(
        "invalid_argument",
        `expected ${name} to be from 0 to 1, found ${settings[name]}`,
      );
  for (const name of ["blockSize", "minOverlap", "context"] as const) {
    const value = settings[name];
    if (value !== "whole" && !(Number.isSafeInteger(value) && value >= 0 && value <= maxPixels))
      throw new SegmentationError(
        "invalid_argument",
        `expected ${name} to be a whole number of pixels, found ${value}`,
      );
  }
  return settings;
}

async function segmentStarDist(
  network: Network,
  model: StarDistModel,
  settings: Settings,
  pixels: Pixels,
  width: number,
  height: number,
  context: SegmentContext,
): Promise<Segmentation<StarDistProvenance>> {
  const { channelsIn } = model.config;
  checkImage(channelsIn === 1 ? pixels : pixels.subarray(0, pixels.length / channelsIn), width, height);
  const normalized = normalizePixels(pixels, settings.normalization);
  const [gridY, gridX] = divisorOf(model.config);
  const plan = {
    ...settings,
    blockSize: settings.blockSize === "whole" ? Math.max(width, height) : settings.blockSize,
  };
  const whole = settings.blockSize === "whole";
  const rows = whole
    ? coverAxis(height, { blockSize: height, minOverlap: 0, context: 0 }, 1)
    : coverAxis(height, plan, gridY);
  const columns = whole
    ? coverAxis(width, { blockSize: width, minOverlap: 0, context: 0 }, 1)
    : coverAxis(width, plan, gridX);
  const reach = structuralReach(model.config);
  const collected: Collected = { labels: new Int32Array(width * height), known: [], warnings: [] };
  for (const row of rows)
    for (const column of columns) {
      await pause(context);
      const block = cutOut(normalized, channelsIn, width, height, row, column);
      const w = column.end - column.start;
      const h = row.end - row.start;
      const prediction = await predictTiled(network, block, w, h, reach, context);
      const candidates = findCandidates(prediction, w, h, settings.probThreshold);
      const found = await starPolygons(candidates, settings.nmsThreshold, context);
      collect(collected, found, row, column, width, settings);
    }
  const { blockSize, minOverlap, context: around } = onGrid(plan, Math.max(gridY, gridX));
  return {
    width,
    height,
    labels: collected.labels,
    instances: instancesOf(collected, width, height),
    provenance: {
      method: "stardist",
      modelSha256: model.sha256,
      sourceSha256: model.sourceSha256,
      probThreshold: settings.probThreshold,
      nmsThreshold: settings.nmsThreshold,
      normalization: settings.normalization,
      blocks: {
        blockSize,
        minOverlap,
        context: around,
        rows: rows.map((one) => one.start),
        columns: columns.map((one) => one.start),
      },
    },
    warnings: collected.warnings,
  };
}

/** What blocks have given so far. */
interface Collected {
  readonly labels: Int32Array;
  /** Of label n at position n - 1. */
  readonly known: { readonly probability: number; readonly polygon: Float32Array }[];
  readonly warnings: string[];
}

/** Takes over the objects of a block that it is responsible for; what lies over earlier blocks' objects is written over them. */
function collect(
  into: Collected,
  found: StarPolygons,
  row: Block,
  column: Block,
  width: number,
  settings: Settings,
): void {
  const blockWidth = column.end - column.start;
  const rendered = renderPolygons(found, blockWidth, row.end - row.start);
  const top = row.writeStart - row.start;
  const left = column.writeStart - column.start;
  const writeHeight = row.writeEnd - row.writeStart;
  const writeWidth = column.writeEnd - column.writeStart;
  const labels = new Int32Array(writeHeight * writeWidth);
  for (let y = 0; y < writeHeight; y++) {
    const from = (top + y) * blockWidth + left;
    labels.set(rendered.subarray(from, from + writeWidth), y * writeWidth);
  }
  const numbers = new Int32Array(found.polygons.length + 1);
  for (const one of measure(labels, writeWidth, writeHeight)) {
    const inRows = isResponsible(row, one.minY, one.maxY);
    const answer = inRows === true ? isResponsible(column, one.minX, one.maxX) : inRows;
    if (answer === false) continue;
    if (answer === "too-large") {
      const message = `an object of ${one.maxY - one.minY} × ${one.maxX - one.minX} px near row ${row.writeStart + one.minY}, column ${column.writeStart + one.minX} is not smaller than the overlap of ${settings.minOverlap} px between blocks`;
      if (!settings.dropLarge)
        throw new SegmentationError(
          "object_too_large",
          `${message}; increase the overlap, or predict the field as a whole`,
        );
      into.warnings.push(`${message}, and was dropped`);
      continue;
    }
    const polygon = (found.polygons[one.label - 1] as Float32Array).map(
      (value, i) => value + (i % 2 === 0 ? row.start : column.start),
    );
    numbers[one.label] = into.known.push({
      probability: found.probabilities[one.label - 1] as number,
      polygon,
    });
  }
  for (let y = 0; y < writeHeight; y++) {
    const to = (row.writeStart + y) * width + column.writeStart;
    for (let x = 0; x < writeWidth; x++) {
      const number = numbers[labels[y * writeWidth + x] as number] as number;
      if (number > 0) into.labels[to + x] = number;
    }
  }
}

function instancesOf({ labels, known, warnings }: Collected, width: number, height: number): Instance[] {
  const instances = measure(labels, width, height).map((one) => ({
    ...one,
    ...(known[one.label - 1] as Collected["known"][number]),
  }));
  const hidden = known.length - instances.length;
  if (hidden > 0)
    warnings.push(`${hidden} object(s) lie wholly under those of later blocks and have no pixels`);
  return instances;
}

/** The part of an image of planes that a block sees. */
function cutOut(
  image: Float32Array,
  channels: number,
  width: number,
  height: number,
  row: Block,
  column: Block,
): Float32Array {
  const h = row.end - row.start;
  const w = column.end - column.start;
  const result = new Float32Array(channels * h * w);
  for (let channel = 0; channel < channels; channel++)
    for (let y = 0; y < h; y++) {
      const from = (channel * height + row.start + y) * width + column.start;
      result.set(image.subarray(from, from + w), (channel * h + y) * w);
    }
  return result;
}
