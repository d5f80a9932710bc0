import { type ConvPlan, planNetwork, type StarDistConfig } from "../stardist/config.ts";
import type { WeightLayer } from "../stardist/layers.ts";

/** An image of channels-last pixels, as Keras has it. */
interface Image {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly data: Float64Array;
}

/** A network by its definition, slowly and in float64; what the ONNX graph is held against. Layers as `randomLayers` makes them. */
export function naiveForward(
  config: StarDistConfig,
  layers: readonly WeightLayer[],
  pixels: Float32Array,
  width: number,
  height: number,
): { prob: Image; dist: Image } {
  const plan = planNetwork(config);
  const queue = [...layers];
  const conv = (input: Image, one: ConvPlan): Image => {
    let result = convolve(input, queue.shift() as WeightLayer, one);
    if (one.batchNorm) result = normalise(result, queue.shift() as WeightLayer);
    return { ...result, data: result.data.map((value) => activate(value, one.activation)) };
  };
  const channels = config.channelsIn;
  const data = new Float64Array(pixels.length);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < width * height; i++) data[i * channels + c] = pixels[c * width * height + i]!;
  let at: Image = { height, width, channels, data };
  for (const step of plan.steps) at = pool(step.convs.reduce(conv, at), step.pool);
  const skips = plan.down.map((level) => {
    const skip = level.reduce(conv, at);
    at = pool(skip, config.pool);
    return skip;
  });
  at = plan.middle.reduce(conv, at);
  for (const level of plan.up) at = level.reduce(conv, join(upsample(at, config.pool), skips.pop() as Image));
  if (plan.features) at = conv(at, plan.features);
  return { prob: conv(at, plan.prob), dist: conv(at, plan.dist) };
}

function convolve(input: Image, layer: WeightLayer, { kernel: [h, w], channelsOut }: ConvPlan): Image {
  const { height, width, channels } = input;
  const data = new Float64Array(height * width * channelsOut);
  const kernel = layer.kernel!.data;
  const top = Math.floor((h - 1) / 2);
  const left = Math.floor((w - 1) / 2);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let o = 0; o < channelsOut; o++) {
        let sum = layer.bias!.data[o]!;
        for (let ky = 0; ky < h; ky++)
          for (let kx = 0; kx < w; kx++) {
            const sy = y + ky - top;
            const sx = x + kx - left;
            if (sy < 0 || sx < 0 || sy >= height || sx >= width) continue;
            for (let i = 0; i < channels; i++)
              sum +=
                input.data[(sy * width + sx) * channels + i]! *
                kernel[((ky * w + kx) * channels + i) * channelsOut + o]!;
          }
        data[(y * width + x) * channelsOut + o] = sum;
      }
  return { height, width, channels: channelsOut, data };
}

function normalise(input: Image, { norm }: WeightLayer): Image {
  const { gamma, beta, mean, variance } = norm!;
  const data = input.data.map((value, i) => {
    const c = i % input.channels;
    return ((value - mean.data[c]!) / Math.sqrt(variance.data[c]! + 1e-3)) * gamma!.data[c]! + beta!.data[c]!;
  });
  return { ...input, data };
}

function activate(value: number, how: ConvPlan["activation"]): number {
  switch (how) {
    case "relu":
      return Math.max(0, value);
    case "elu":
      return value > 0 ? value : Math.expm1(value);
    case "selu":
      return 1.0507009873554805 * (value > 0 ? value : 1.6732632423543772 * Math.expm1(value));
    case "tanh":
      return Math.tanh(value);
    case "sigmoid":
      return 1 / (1 + Math.exp(-value));
    case "softplus":
      return Math.log1p(Math.exp(value));
    case "linear":
      return value;
  }
}

function pool(input: Image, [h, w]: readonly [number, number]): Image {
  const height = Math.floor(input.height / h);
  const width = Math.floor(input.width / w);
  const { channels } = input;
  const data = new Float64Array(height * width * channels).fill(Number.NEGATIVE_INFINITY);
  for (let y = 0; y < height * h; y++)
    for (let x = 0; x < width * w; x++)
      for (let c = 0; c < channels; c++) {
        const to = (Math.floor(y / h) * width + Math.floor(x / w)) * channels + c;
        data[to] = Math.max(data[to]!, input.data[(y * input.width + x) * channels + c]!);
      }
  return { height, width, channels, data };
}

function upsample(input: Image, [h, w]: readonly [number, number]): Image {
  const height = input.height * h;
  const width = input.width * w;
  const { channels } = input;
  const data = new Float64Array(height * width * channels);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        data[(y * width + x) * channels + c] =
          input.data[(Math.floor(y / h) * input.width + Math.floor(x / w)) * channels + c]!;
  return { height, width, channels, data };
}

function join(a: Image, b: Image): Image {
  const channels = a.channels + b.channels;
  const data = new Float64Array(a.height * a.width * channels);
  for (let i = 0; i < a.height * a.width; i++) {
    data.set(a.data.subarray(i * a.channels, (i + 1) * a.channels), i * channels);
    data.set(b.data.subarray(i * b.channels, (i + 1) * b.channels), i * channels + a.channels);
  }
  return { height: a.height, width: a.width, channels, data };
}
