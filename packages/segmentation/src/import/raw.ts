import { SegmentationError } from "../errors.ts";
import type { WeightLayer } from "../stardist/layers.ts";
import { elementsOf, gatherLayers, type NamedTensor } from "./tensors.ts";

/**
 * Layers of raw float32 weights with a manifest: `{"tensors": {"conv2d.w": {"offset", "length", "shape"}, "conv2d.b": …}}`, offsets and
 * lengths in values, kernels [out, in, height, width].
 *
 * @throws SegmentationError `invalid_model`
 */
export function readRaw(manifest: unknown, weights: Uint8Array): WeightLayer[] {
  const { tensors } = manifest as { tensors?: unknown };
  if (typeof tensors !== "object" || tensors === null) throw invalid("expected tensors in the manifest");
  const entries = Object.entries(tensors as Record<string, { offset?: unknown; shape?: unknown } | null>);
  const values = new Uint8Array(weights.subarray(0, weights.length - (weights.length % 4)));
  const floats = new Float32Array(values.buffer, 0, values.length / 4);
  const named = entries.map(([name, entry]): NamedTensor & { offset: number } => {
    const { offset, shape } = entry ?? {};
    if (!Array.isArray(shape) || !Number.isSafeInteger(offset) || (offset as number) < 0)
      throw invalid(`the entry of ${name.slice(0, 80)} is incomplete`);
    const start = offset as number;
    const length = elementsOf(shape);
    if (start + length > floats.length)
      throw invalid(`${name.slice(0, 80)} ends at value ${start + length} of ${floats.length}`);
    const data = floats.slice(start, start + length);
    const path = name.replace(/\.([wb])$/, "/$1");
    return {
      offset: start,
      name: path,
      ...(shape.length === 4 ? channelsLast(shape, data) : { shape, data }),
    };
  });
  return gatherLayers(
    named.sort((a, b) => a.offset - b.offset),
    "file",
  );
}

/** [out, in, height, width] → [height, width, in, out], as Keras has it. */
export function channelsLast(
  shape: readonly number[],
  data: Float32Array,
): { shape: number[]; data: Float32Array } {
  const [out, into, h, w] = shape as [number, number, number, number];
  const result = new Float32Array(data.length);
  const spatial = h * w;
  for (let o = 0, at = 0; o < out; o++)
    for (let i = 0; i < into; i++)
      for (let s = 0; s < spatial; s++, at++) result[(s * into + i) * out + o] = data[at] as number;
  return { shape: [h, w, into, out], data: result };
}

function invalid(message: string): SegmentationError {
  return new SegmentationError("invalid_model", `the raw weights cannot be read: ${message}`);
}
