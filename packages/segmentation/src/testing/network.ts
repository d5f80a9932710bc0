import { type ConvPlan, convsOf, planNetwork, type StarDistConfig } from "../stardist/config.ts";
import type { WeightLayer } from "../stardist/layers.ts";
import { uniform } from "./fields.ts";

/** Layers of seeded random weights, named as Keras names them, scaled so that signals neither vanish nor explode. */
export function randomLayers(config: StarDistConfig, seed = 1): WeightLayer[] {
  const random = uniform(seed);
  let counted = 0;
  let norms = 0;
  return convsOf(planNetwork(config)).flatMap((plan): WeightLayer[] => {
    const name = plan.name ?? (counted++ === 0 ? "conv2d" : `conv2d_${counted - 1}`);
    const conv = randomConv(name, plan, random);
    if (!plan.batchNorm) return [conv];
    const values = (low: number, high: number) => ({
      shape: [plan.channelsOut],
      data: Float32Array.from({ length: plan.channelsOut }, () => low + (high - low) * random()),
    });
    const norm = {
      gamma: values(0.5, 1.5),
      beta: values(-0.2, 0.2),
      mean: values(-0.2, 0.2),
      variance: values(0.5, 2),
    };
    return [conv, { name: norms++ === 0 ? "batch_normalization" : `batch_normalization_${norms - 1}`, norm }];
  });
}

function randomConv(name: string, plan: ConvPlan, random: () => number): WeightLayer {
  const shape = [...plan.kernel, plan.channelsIn, plan.channelsOut];
  const length = shape.reduce((product, side) => product * side, 1);
  const scale = Math.sqrt(6 / (length / plan.channelsOut));
  return {
    name,
    kernel: { shape, data: Float32Array.from({ length }, () => scale * (2 * random() - 1)) },
    bias: {
      shape: [plan.channelsOut],
      data: Float32Array.from({ length: plan.channelsOut }, () => 0.2 * (random() - 0.5)),
    },
  };
}
