import { SegmentationError } from "../errors.ts";
import type { Tensor, WeightLayer } from "../stardist/layers.ts";

/** A tensor under the name that a file gives it. */
export interface NamedTensor extends Tensor {
  readonly name: string;
}

/** Values of a network's weights as they may be stored. */
export type FloatType = "float16" | "bfloat16" | "float32" | "float64";

const bytesPerValue: Record<FloatType, number> = { float16: 2, bfloat16: 2, float32: 4, float64: 8 };

/**
 * Little-endian bytes as float32 values.
 * @throws SegmentationError `invalid_model` when their number is not that of the shape
 */
export function decodeFloats(
  name: string,
  type: FloatType,
  shape: readonly number[],
  bytes: Uint8Array,
): Float32Array {
  const length = elementsOf(shape);
  if (bytes.length !== length * bytesPerValue[type])
    throw new SegmentationError(
      "invalid_model",
      `expected ${length} × ${type} for ${name} of ${shape.join(" × ")}, found ${bytes.length} bytes`,
    );
  // A copy, aligned; a Buffer's own slice would be a view.
  const { buffer } = new Uint8Array(bytes);
  switch (type) {
    case "float16":
      return Float32Array.from(new Float16Array(buffer));
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return Float32Array.from(new Float64Array(buffer));
    case "bfloat16":
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (value) => value << 16).buffer);
  }
}

/** Number of values of a shape; hostile shapes do not overflow. */
export function elementsOf(shape: readonly number[]): number {
  const length = shape.reduce((product, side) => product * side, 1);
  if (!shape.every((side) => Number.isSafeInteger(side) && side >= 0) || length > 2 ** 30)
    throw new SegmentationError(
      "invalid_model",
      `expected the shape of weights, found ${shape.slice(0, 8).join(" × ")}`,
    );
  return length;
}

/** Endings that say how a tensor is stored, not what it is. */
const decoration = new Set([".ATTRIBUTES", "VARIABLE_VALUE", "ReadVariableOp", "resource", "read"]);

const roles: Readonly<Record<string, "kernel" | "bias" | "gamma" | "beta" | "mean" | "variance">> = {
  kernel: "kernel",
  Conv2D: "kernel",
  Conv2D_weights: "kernel",
  w: "kernel",
  bias: "bias",
  BiasAdd: "bias",
  Conv2D_bn_offset: "bias",
  b: "bias",
  gamma: "gamma",
  beta: "beta",
  moving_mean: "mean",
  moving_variance: "variance",
};

/**
 * Tensors gathered by layer: `…/down_level_0_no_0/kernel`, `…/down_level_0_no_0/Conv2D/ReadVariableOp` and the like.
 *
 * @param order layers in the order of the file, or else sorted with numbers as numbers.
 * @throws SegmentationError `invalid_model` naming tensors that no convolution has
 */
export function gatherLayers(tensors: readonly NamedTensor[], order: "file" | "sorted"): WeightLayer[] {
  const layers = new Map<string, Partial<Record<(typeof roles)[string], Tensor>>>();
  const unknown: string[] = [];
  for (const { name, shape, data } of tensors) {
    const segments = name.replace(/:0$/, "").split("/");
    while (segments.length > 1 && decoration.has(segments.at(-1) as string)) segments.pop();
    const last = segments.pop() as string;
    const role = Object.hasOwn(roles, last) ? roles[last] : undefined;
    const layer = segments.at(-1);
    if (role === undefined || layer === undefined) {
      unknown.push(name.slice(0, 80));
      continue;
    }
    const parts = layers.get(layer) ?? {};
    parts[role] = { shape, data };
    layers.set(layer, parts);
  }
  if (unknown.length > 0)
    throw new SegmentationError(
      "invalid_model",
      `expected the weights of convolutions and batch normalisations, found ${unknown.slice(0, 5).join(", ")}${unknown.length > 5 ? ", …" : ""}`,
    );
  const names = [...layers.keys()];
  if (order === "sorted") names.sort(byNumbers);
  return names.map((name) => {
    const { kernel, bias, gamma, beta, mean, variance } = layers.get(name) as Partial<Record<string, Tensor>>;
    return {
      name,
      ...(kernel === undefined ? {} : { kernel }),
      ...(bias === undefined ? {} : { bias }),
      ...(mean === undefined || variance === undefined
        ? {}
        : {
            norm: {
              mean,
              variance,
              ...(gamma === undefined ? {} : { gamma }),
              ...(beta === undefined ? {} : { beta }),
            },
          }),
    };
  });
}

const collator = new Intl.Collator("en", { numeric: true });

/** `conv2d` before `conv2d_2` before `conv2d_10`. */
export function byNumbers(a: string, b: string): number {
  return collator.compare(a, b);
}
