import { SegmentationError } from "../errors.ts";

/** What a StarDist 2D network looks like: the parts of StarDist's `config.json` that shape its prediction. */
export interface StarDistConfig {
  readonly rays: number;
  /** Pixels per cell of the prediction along rows and columns; powers of two. */
  readonly grid: readonly [y: number, x: number];
  readonly channelsIn: number;
  readonly depth: number;
  readonly kernel: readonly [y: number, x: number];
  readonly pool: readonly [y: number, x: number];
  readonly filterBase: number;
  readonly expansion: number;
  readonly convPerDepth: number;
  /** Filters of the layer after the U-Net; 0: there is none. */
  readonly convAfterUnet: number;
  readonly activation: Activation;
  readonly lastActivation: Activation;
  readonly batchNorm: boolean;
  readonly prefix: string;
  /** Classes that the network tells apart besides; their layers are left out. */
  readonly classes: number;
}

export const activations = ["relu", "linear", "elu", "selu", "tanh", "sigmoid", "softplus"] as const;

export type Activation = (typeof activations)[number];

/** The network of `2D_versatile_fluo`, `2D_demo` and most others. */
export const usualConfig: StarDistConfig = {
  rays: 32,
  grid: [2, 2],
  channelsIn: 1,
  depth: 3,
  kernel: [3, 3],
  pool: [2, 2],
  filterBase: 32,
  expansion: 2,
  convPerDepth: 2,
  convAfterUnet: 128,
  activation: "relu",
  lastActivation: "relu",
  batchNorm: false,
  prefix: "",
  classes: 0,
};

/** Probability above which a cell proposes an object, and overlap above which the less probable of two goes. */
export interface Thresholds {
  readonly prob: number;
  readonly nms: number;
}

/**
 * StarDist's `config.json`, parsed.
 * @throws SegmentationError `invalid_model` for what is not the configuration of a 2D U-Net
 */
export function parseConfig(json: unknown): StarDistConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw invalid("expected an object in config.json");
  const values = json as Record<string, unknown>;
  const whole = (key: string, min: number, max: number, standard: number): number => {
    const value = values[key] ?? standard;
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
      throw invalid(`expected ${key} to be a whole number from ${min} to ${max}, found ${show(value)}`);
    return value as number;
  };
  const pair = (key: string, max: number, standard: readonly [number, number]): readonly [number, number] => {
    const value = values[key] ?? standard;
    const fits =
      Array.isArray(value) &&
      value.length === 2 &&
      value.every((one) => Number.isSafeInteger(one) && one >= 1 && one <= max);
    if (!fits)
      throw invalid(`expected ${key} to be two whole numbers from 1 to ${max}, found ${show(value)}`);
    return value as [number, number];
  };
  const activation = (key: string, standard: Activation): Activation => {
    const value = values[key] ?? standard;
    if (!activations.includes(value as Activation))
      throw invalid(`expected ${key} to be one of ${activations.join(", ")}, found ${show(value)}`);
    return value as Activation;
  };
  if ((values.n_dim ?? 2) !== 2) throw invalid(`expected a 2D network, found n_dim ${show(values.n_dim)}`);
  if (String(values.backbone ?? "unet").toLowerCase() !== "unet")
    throw invalid(`expected a U-Net, found the backbone ${show(values.backbone)}`);
  const grid = pair("grid", 16, [1, 1]);
  if (!grid.every((step) => Number.isInteger(Math.log2(step))))
    throw invalid(`expected grid to be powers of two, found ${show(values.grid)}`);
  const relu = activation("unet_activation", "relu");
  return {
    rays: whole("n_rays", 3, 1_024, 32),
    grid,
    channelsIn: whole("n_channel_in", 1, 64, 1),
    depth: whole("unet_n_depth", 1, 8, 3),
    kernel: pair("unet_kernel_size", 31, [3, 3]),
    pool: pair("unet_pool", 4, [2, 2]),
    filterBase: whole("unet_n_filter_base", 1, 1_024, 32),
    expansion:
      typeof values.unet_expansion === "number" && values.unet_expansion > 0 ? values.unet_expansion : 2,
    convPerDepth: whole("unet_n_conv_per_depth", 1, 8, 2),
    convAfterUnet: whole("net_conv_after_unet", 0, 4_096, 128),
    activation: relu,
    lastActivation: activation("unet_last_activation", relu),
    batchNorm: values.unet_batch_norm === true,
    prefix: typeof values.unet_prefix === "string" ? values.unet_prefix : "",
    classes: values.n_classes === null ? 0 : whole("n_classes", 0, 1_000, 0),
  };
}

/**
 * StarDist's `thresholds.json`, parsed.
 * @throws SegmentationError `invalid_model`
 */
export function parseThresholds(json: unknown): Thresholds {
  const { prob, nms } = (json ?? {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries({ prob, nms }))
    if (typeof value !== "number" || !(value >= 0 && value <= 1))
      throw invalid(`expected the threshold ${name} to be a number from 0 to 1, found ${show(value)}`);
  return { prob: prob as number, nms: nms as number };
}

/** Sides of an image are padded to multiples of this. */
export function divisorOf({ pool, depth, grid }: StarDistConfig): readonly [y: number, x: number] {
  return [pool[0] ** depth * grid[0], pool[1] ** depth * grid[1]];
}

/** One convolution of a network, in the order of the data. */
export interface ConvPlan {
  /** Name that Keras has for it; undefined where Keras counts (`conv2d_7`). */
  readonly name: string | undefined;
  readonly kernel: readonly [y: number, x: number];
  readonly channelsIn: number;
  readonly channelsOut: number;
  readonly activation: Activation;
  readonly batchNorm: boolean;
}

export interface NetworkPlan {
  /** Before the U-Net: the convolutions of each grid step, and the pool after them. */
  readonly steps: readonly {
    readonly convs: readonly ConvPlan[];
    readonly pool: readonly [number, number];
  }[];
  readonly down: readonly (readonly ConvPlan[])[];
  readonly middle: readonly ConvPlan[];
  /** From the deepest level up. */
  readonly up: readonly (readonly ConvPlan[])[];
  readonly features: ConvPlan | undefined;
  readonly prob: ConvPlan;
  readonly dist: ConvPlan;
}

/** The layers of a network as StarDist's `_build` and CSBDeep's `unet_block` make them. */
export function planNetwork(config: StarDistConfig): NetworkPlan {
  const { depth, filterBase, expansion, convPerDepth: n, kernel, activation, batchNorm, prefix } = config;
  const filters = (level: number) => Math.floor(filterBase * expansion ** level);
  let channels = config.channelsIn;
  const conv = (
    name: string | undefined,
    out: number,
    more: {
      activation?: Activation;
      kernel?: readonly [number, number];
      batchNorm?: boolean;
      channelsIn?: number;
    } = {},
  ): ConvPlan => {
    const plan = { name, kernel, channelsIn: channels, channelsOut: out, activation, batchNorm, ...more };
    channels = out;
    return plan;
  };
  const range = (count: number) => Array.from({ length: Math.max(0, count) }, (_, i) => i);
  const steps: { convs: ConvPlan[]; pool: [number, number] }[] = [];
  for (let y = 1, x = 1; y < config.grid[0] || x < config.grid[1]; ) {
    const pool: [number, number] = [config.grid[0] > y ? 2 : 1, config.grid[1] > x ? 2 : 1];
    y *= pool[0];
    x *= pool[1];
    steps.push({ convs: range(n).map(() => conv(undefined, filterBase, { batchNorm: false })), pool });
  }
  const skips: number[] = [];
  const down = range(depth).map((level) => {
    const convs = range(n).map((i) => conv(`${prefix}down_level_${level}_no_${i}`, filters(level)));
    skips.push(channels);
    return convs;
  });
  const middle = [
    ...range(n - 1).map((i) => conv(`${prefix}middle_${i}`, filters(depth))),
    conv(`${prefix}middle_${n}`, filters(Math.max(0, depth - 1))),
  ];
  const up = range(depth)
    .reverse()
    .map((level) => {
      channels += skips[level] as number;
      return [
        ...range(n - 1).map((i) => conv(`${prefix}up_level_${level}_no_${i}`, filters(level))),
        conv(`${prefix}up_level_${level}_no_${n}`, filters(Math.max(0, level - 1)), {
          activation: level > 0 ? activation : config.lastActivation,
        }),
      ];
    });
  const plain = { batchNorm: false };
  const features = config.convAfterUnet > 0 ? conv("features", config.convAfterUnet, plain) : undefined;
  const last = channels;
  const head = { kernel: [1, 1] as const, channelsIn: last, batchNorm: false };
  return {
    steps,
    down,
    middle,
    up,
    features,
    prob: conv("prob", 1, { ...head, activation: "sigmoid" }),
    dist: conv("dist", config.rays, { ...head, activation: "linear" }),
  };
}

/** All convolutions in the order of the data, the two heads last. */
export function convsOf(plan: NetworkPlan): ConvPlan[] {
  return [
    ...plan.steps.flatMap((step) => step.convs),
    ...plan.down.flat(),
    ...plan.middle,
    ...plan.up.flat(),
    ...(plan.features ? [plan.features] : []),
    plan.prob,
    plan.dist,
  ];
}

/**
 * Pixels beyond a stretch of the image that can change its prediction, by the structure of the network, for stretches that begin and end at
 * multiples of `divisorOf`; trained weights may use fewer. 94 for the usual network.
 */
export function structuralReach(config: StarDistConfig): number {
  return Math.max(...([0, 1] as const).map((axis) => axisReach(config, axis)));
}

/** Follows the first and the last pixel of a stretch back through the network. */
function axisReach(config: StarDistConfig, axis: 0 | 1): number {
  const { steps, down, middle, up, features } = planNetwork(config);
  const size = divisorOf(config)[axis];
  const cells = size / config.grid[axis];
  let before = 0;
  let after = cells - 1;
  const convs = (list: readonly ConvPlan[]) => {
    for (const { kernel } of list) {
      before -= Math.floor((kernel[axis] - 1) / 2);
      after += Math.ceil((kernel[axis] - 1) / 2);
    }
  };
  if (features) convs([features]);
  for (const level of [...up].reverse()) {
    convs(level);
    before = Math.floor(before / config.pool[axis]);
    after = Math.floor(after / config.pool[axis]);
  }
  convs(middle);
  const pooled = (side: number) => {
    before *= side;
    after = after * side + side - 1;
  };
  for (const level of [...down].reverse()) {
    pooled(config.pool[axis]);
    convs(level);
  }
  for (const step of [...steps].reverse()) {
    pooled(step.pool[axis]);
    convs(step.convs);
  }
  return Math.max(-before, after - (size - 1));
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? "nothing";
}

function invalid(message: string): SegmentationError {
  return new SegmentationError("invalid_model", message);
}
