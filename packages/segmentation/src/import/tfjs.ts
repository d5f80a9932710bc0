import { SegmentationError } from "../errors.ts";
import type { WeightLayer } from "../stardist/layers.ts";
import type { ModelFiles } from "./files.ts";
import { decodeFloats, elementsOf, gatherLayers, type NamedTensor } from "./tensors.ts";

interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: { readonly dtype: string; readonly scale?: number; readonly min?: number };
}

const bytesPerValue: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

/**
 * Layers of a TensorFlow.js model, graph or layers (`model.json` and its shards, quantised or not). The topology is not looked at.
 *
 * @param json `model.json`, parsed; `folder` ends in "/" or is "".
 * @throws SegmentationError `invalid_model`
 */
export function readTfjs(files: ModelFiles, json: unknown, folder: string): WeightLayer[] {
  const groups = (json as { weightsManifest?: unknown }).weightsManifest;
  if (!Array.isArray(groups)) throw invalid("expected a weightsManifest in model.json");
  const tensors = groups.flatMap((group: { paths?: unknown; weights?: unknown }) => {
    if (!Array.isArray(group?.paths) || !Array.isArray(group.weights))
      throw invalid("a group of weights is incomplete");
    const bytes = Buffer.concat(group.paths.map((path) => files.read(`${folder}${String(path)}`)));
    let at = 0;
    return group.weights.flatMap((raw): NamedTensor[] => {
      const entry = checkedEntry(raw);
      const stored = entry.quantization?.dtype ?? entry.dtype;
      const size = elementsOf(entry.shape) * (bytesPerValue[stored] ?? Number.NaN);
      if (!(at + size <= bytes.length))
        throw invalid(
          `${entry.name.slice(0, 80)} (${stored}) ends beyond the shards of ${bytes.length} bytes`,
        );
      const content = bytes.subarray(at, at + size);
      at += size;
      if (entry.dtype !== "float32" && entry.dtype !== "float16") return [];
      return [{ name: entry.name, shape: entry.shape, data: valuesOf(entry, stored, content) }];
    });
  });
  // Graph models carry constants of their own: shapes, and the ones that spread a cell over its pixels.
  return gatherLayers(
    tensors.filter((tensor) => tensor.shape.length > 0 && !/conv2d_transpose/i.test(tensor.name)),
    "sorted",
  );
}

function checkedEntry(raw: unknown): WeightEntry {
  const entry = raw as Partial<WeightEntry> | null;
  if (typeof entry?.name !== "string" || !Array.isArray(entry.shape) || typeof entry.dtype !== "string")
    throw invalid("an entry of the weights is incomplete");
  return entry as WeightEntry;
}

function valuesOf(entry: WeightEntry, stored: string, content: Uint8Array): Float32Array {
  if (stored === "float32" || stored === "float16")
    return decodeFloats(entry.name, stored, entry.shape, content);
  const { scale, min } = entry.quantization ?? {};
  if (typeof scale !== "number" || typeof min !== "number" || (stored !== "uint8" && stored !== "uint16"))
    throw invalid(`${entry.name.slice(0, 80)} is quantised in a way that is not known`);
  const levels = stored === "uint8" ? content : new Uint16Array(new Uint8Array(content).buffer);
  return Float32Array.from(levels, (level) => level * scale + min);
}

function invalid(message: string): SegmentationError {
  return new SegmentationError("invalid_model", `the TensorFlow.js model cannot be read: ${message}`);
}
