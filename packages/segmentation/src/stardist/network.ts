import { encodeOnnxModel, type OnnxNode, type OnnxTensor } from "@cytomesh/kernels";
import { type Activation, type ConvPlan, planNetwork, type StarDistConfig } from "./config.ts";
import type { Conv } from "./layers.ts";

const onnxActivations: Record<Exclude<Activation, "linear">, string> = {
  relu: "Relu",
  elu: "Elu",
  selu: "Selu",
  tanh: "Tanh",
  sigmoid: "Sigmoid",
  softplus: "Softplus",
};

/**
 * A StarDist 2D network as an ONNX file (opset 17). Input `image` float32 [N, C, H, W], its sides multiples of `divisorOf(config)`; outputs
 * `prob` [N, 1, H/gy, W/gx] and `dist` [N, rays, H/gy, W/gx], the latter as the network gives it, not clipped.
 *
 * @param convs of `assignLayers`.
 */
export function buildStarDistOnnx(
  config: StarDistConfig,
  convs: readonly Conv[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const plan = planNetwork(config);
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  let next = 0;
  const conv = (
    input: string,
    { kernel, channelsIn, channelsOut, activation }: ConvPlan,
    output?: string,
  ): string => {
    const id = next++;
    const { kernel: weights, bias } = convs[id] as Conv;
    const [h, w] = kernel;
    initializers.push(
      { name: `w${id}`, shape: [channelsOut, channelsIn, h, w], data: weights },
      { name: `b${id}`, shape: [channelsOut], data: bias },
    );
    // TensorFlow's "same": of an odd number of pixels, the larger part goes to the end.
    const before = [Math.floor((h - 1) / 2), Math.floor((w - 1) / 2)];
    const pads = [...before, h - 1 - (before[0] as number), w - 1 - (before[1] as number)];
    const plain = activation === "linear";
    const result = output ?? `x${id}`;
    nodes.push({
      op: "Conv",
      inputs: [input, `w${id}`, `b${id}`],
      outputs: [plain ? result : `c${id}`],
      intLists: { kernel_shape: [h, w], pads },
    });
    if (!plain) nodes.push({ op: onnxActivations[activation], inputs: [`c${id}`], outputs: [result] });
    return result;
  };
  const chain = (input: string, list: readonly ConvPlan[]) => list.reduce((at, one) => conv(at, one), input);
  const pool = (input: string, size: readonly number[]): string => {
    const output = `p${next}`;
    nodes.push({
      op: "MaxPool",
      inputs: [input],
      outputs: [output],
      intLists: { kernel_shape: size, strides: size },
    });
    return output;
  };
  let at = "image";
  for (const step of plan.steps) at = pool(chain(at, step.convs), step.pool);
  const skips = plan.down.map((level) => {
    const skip = chain(at, level);
    at = pool(skip, config.pool);
    return skip;
  });
  at = chain(at, plan.middle);
  initializers.push({ name: "scales", shape: [4], data: Float32Array.of(1, 1, ...config.pool) });
  for (const level of plan.up) {
    nodes.push({
      op: "Resize",
      inputs: [at, "", "scales"],
      outputs: [`u${next}`],
      strings: { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
    });
    nodes.push({
      op: "Concat",
      inputs: [`u${next}`, skips.pop() as string],
      outputs: [`j${next}`],
      ints: { axis: 1 },
    });
    at = chain(`j${next}`, level);
  }
  if (plan.features) at = conv(at, plan.features);
  conv(at, plan.prob, "prob");
  conv(at, plan.dist, "dist");
  return encodeOnnxModel({
    name: "stardist-2d",
    inputs: [{ name: "image", type: "float32", shape: ["N", config.channelsIn, "H", "W"] }],
    outputs: [
      { name: "prob", type: "float32", shape: ["N", 1, "h", "w"] },
      { name: "dist", type: "float32", shape: ["N", config.rays, "h", "w"] },
    ],
    nodes,
    initializers,
    metadata,
  });
}
