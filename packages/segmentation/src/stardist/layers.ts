import { SegmentationError } from "../errors.ts";
import { type ConvPlan, convsOf, planNetwork, type StarDistConfig, usualConfig } from "./config.ts";

/** A dense array as a file of weights holds it. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a file holds of one layer. */
export interface WeightLayer {
  /** As Keras names it; files that only count have counted names. */
  readonly name: string;
  /** Convolutions: [height, width, in, out]. */
  readonly kernel?: Tensor;
  readonly bias?: Tensor;
  /** Batch normalisation: one value per channel. */
  readonly norm?: {
    readonly gamma?: Tensor;
    readonly beta?: Tensor;
    readonly mean: Tensor;
    readonly variance: Tensor;
  };
}

/** A convolution with its weights; batch normalisation is folded in. */
export interface Conv {
  readonly plan: ConvPlan;
  /** [out, in, height, width], as ONNX has it. */
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
}

/** Keras adds this to variances. */
const normEpsilon = 1e-3;

/**
 * The convolutions of a network, in the order of its plan, from what a file holds. Layers are found by name; where the file has none of
 * the names that StarDist gives, they are taken in the order of the file.
 *
 * @param layers in the order of the data.
 * @throws SegmentationError `invalid_model`: layers that are missing, unknown, or of another shape
 */
export function assignLayers(config: StarDistConfig, layers: readonly WeightLayer[]): Conv[] {
  const plans = convsOf(planNetwork(config));
  const convs = layers.filter((layer) => layer.kernel !== undefined && !isUpsampling(layer));
  const norms = layers.filter((layer) => layer.norm !== undefined);
  const ordered = orderConvs(plans, convs);
  const expectedNorms = plans.filter((plan) => plan.batchNorm).length;
  if (norms.length !== expectedNorms)
    throw invalid(
      `expected ${expectedNorms} batch normalisations, found ${norms.length}: is unet_batch_norm of the configuration right?`,
    );
  let norm = 0;
  return plans.map((plan, i) => {
    const layer = ordered[i] as WeightLayer;
    return foldNorm(checkedConv(plan, layer), plan.batchNorm ? norms[norm++] : undefined);
  });
}

/** Exports for Fiji end in a transposed convolution of ones, which only spreads probabilities over the pixels of a cell. */
function isUpsampling({ kernel }: WeightLayer): boolean {
  return kernel?.shape.every((side) => side === 1) === true && kernel.data[0] === 1;
}

/** Layers that only the classes of a multi-class network need. */
const classLayers = new Set(["features_class", "prob_class"]);

function orderConvs(plans: readonly ConvPlan[], convs: readonly WeightLayer[]): WeightLayer[] {
  const names = new Set(plans.flatMap((plan) => plan.name ?? []));
  const byName = new Map(convs.map((layer) => [layer.name, layer]));
  const named = [...names].filter((name) => byName.has(name));
  if (named.length === 0) {
    if (convs.length !== plans.length)
      throw invalid(
        `expected ${plans.length} convolutions, found ${convs.length}: ${list(convs.map((layer) => layer.name))}`,
      );
    return [...convs];
  }
  const counted = convs.filter((layer) => !names.has(layer.name) && !classLayers.has(layer.name));
  const missing = [...names].filter((name) => !byName.has(name));
  const expected = plans.filter((plan) => plan.name === undefined).length;
  if (missing.length > 0) throw invalid(`the weights lack the layers ${list(missing)}`);
  if (counted.length !== expected)
    throw invalid(
      `expected ${expected} convolutions before the U-Net, found ${counted.length}: ${list(counted.map((layer) => layer.name))}`,
    );
  return plans.map(
    (plan) => (plan.name === undefined ? counted.shift() : byName.get(plan.name)) as WeightLayer,
  );
}

function checkedConv(plan: ConvPlan, layer: WeightLayer): Conv {
  const { kernel, bias } = layer as WeightLayer & { kernel: Tensor };
  const [h, w] = plan.kernel;
  const shape = [h, w, plan.channelsIn, plan.channelsOut];
  if (kernel.shape.join() !== shape.join())
    throw invalid(
      `expected a kernel of ${shape.join(" × ")} in the layer ${plan.name ?? layer.name}, found ${kernel.shape.join(" × ")}`,
    );
  if (bias !== undefined && bias.shape.join() !== `${plan.channelsOut}`)
    throw invalid(
      `expected ${plan.channelsOut} biases in the layer ${plan.name ?? layer.name}, found ${bias.shape.join(" × ")}`,
    );
  if (!kernel.data.every(Number.isFinite) || bias?.data.every(Number.isFinite) === false)
    throw invalid(`the layer ${plan.name ?? layer.name} has weights that are not finite`);
  return {
    plan,
    kernel: channelsFirst(kernel.data, h * w, plan.channelsIn, plan.channelsOut),
    bias: bias?.data ?? new Float32Array(plan.channelsOut),
  };
}

/** [spatial, in, out] → [out, in, spatial]. */
function channelsFirst(
  data: Float32Array,
  spatial: number,
  channelsIn: number,
  channelsOut: number,
): Float32Array {
  const result = new Float32Array(data.length);
  for (let s = 0, at = 0; s < spatial; s++)
    for (let i = 0; i < channelsIn; i++)
      for (let o = 0; o < channelsOut; o++, at++)
        result[(o * channelsIn + i) * spatial + s] = data[at] as number;
  return result;
}

function foldNorm(conv: Conv, layer: WeightLayer | undefined): Conv {
  if (layer?.norm === undefined) return conv;
  const { gamma, beta, mean, variance } = layer.norm;
  const channels = conv.plan.channelsOut;
  for (const tensor of [gamma, beta, mean, variance])
    if (tensor !== undefined && tensor.data.length !== channels)
      throw invalid(`expected ${channels} values in the layer ${layer.name}, found ${tensor.data.length}`);
  const scale = Float64Array.from(
    variance.data,
    (value, c) => (gamma?.data[c] ?? 1) / Math.sqrt(value + normEpsilon),
  );
  const length = conv.kernel.length / channels;
  return {
    plan: conv.plan,
    kernel: conv.kernel.map((value, i) => value * (scale[Math.floor(i / length)] as number)),
    bias: conv.bias.map(
      (value, c) => (value - (mean.data[c] as number)) * (scale[c] as number) + (beta?.data[c] ?? 0),
    ),
  };
}

/**
 * The configuration that fits the weights, for when there is no `config.json`. Kernels of both axes are read off the weights; the grid is
 * taken to be equal along both axes, pools to be 2 × 2, and activations to be ReLU.
 *
 * @throws SegmentationError `invalid_model` when no StarDist 2D network has such layers
 */
export function inferConfig(layers: readonly WeightLayer[]): StarDistConfig {
  const convs = layers.filter((layer) => layer.kernel !== undefined && !isUpsampling(layer));
  const shapeOf = (name: string) => convs.find((layer) => layer.name === name)?.kernel?.shape;
  const first = convs.find((layer) => layer.kernel?.shape[0] !== 1)?.kernel?.shape;
  const byName = shapeOf("dist") !== undefined;
  const start = byName
    ? (convs.find((layer) => /^conv2d(_\d+)?$/.test(layer.name))?.kernel?.shape ??
      shapeOf("down_level_0_no_0"))
    : first;
  const rays = byName ? shapeOf("dist")?.[3] : convs.map((layer) => layer.kernel?.shape[3]).at(-1);
  const features = byName ? shapeOf("features")?.[3] : convs.at(-1)?.kernel?.shape[2];
  if (start === undefined || rays === undefined || start.length !== 4)
    throw invalid(
      `expected the layers of a StarDist 2D network, found ${list(layers.map((layer) => layer.name))}`,
    );
  const [h, w, channelsIn, filterBase] = start as [number, number, number, number];
  const batchNorm = layers.some((layer) => layer.norm !== undefined);
  const likely = namedSize(convs);
  let failure: unknown;
  for (let depth = 1; depth <= 5; depth++)
    for (let convPerDepth = 1; convPerDepth <= 4; convPerDepth++)
      for (const step of [1, 2, 4, 8])
        for (const convAfterUnet of features === undefined ? [0] : [features, 0]) {
          const config: StarDistConfig = {
            ...usualConfig,
            rays,
            grid: [step, step],
            channelsIn,
            depth,
            kernel: [h, w],
            filterBase,
            convPerDepth,
            convAfterUnet,
            batchNorm,
          };
          try {
            assignLayers(config, layers);
            return config;
          } catch (error) {
            // The network that the names speak of says best what is wrong.
            if (depth === likely.depth && convPerDepth === likely.convPerDepth && step === 2)
              failure ??= error;
          }
        }
  throw invalid(
    `the weights are of no StarDist 2D network that can be told by its layers; give its config.json (${(failure as Error).message})`,
  );
}

/** Depth and convolutions per level as the names have them; those of the usual network when they say nothing. */
function namedSize(convs: readonly WeightLayer[]): { depth: number; convPerDepth: number } {
  const found = convs.flatMap((layer) => /down_level_(\d)_no_(\d)$/.exec(layer.name) ?? []);
  const largest = (offset: number) =>
    found.reduce((max, text, i) => (i % 3 === offset ? Math.max(max, Number(text) + 1) : max), 0);
  return {
    depth: Math.min(5, largest(1)) || usualConfig.depth,
    convPerDepth: Math.min(4, largest(2)) || usualConfig.convPerDepth,
  };
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => name.slice(0, 60));
  return `${shown.join(", ") || "none"}${names.length > shown.length ? `, and ${names.length - shown.length} more` : ""}`;
}

function invalid(message: string): SegmentationError {
  return new SegmentationError("invalid_model", message);
}
