import type { Thresholds } from "../stardist/config.ts";

/** Published weights, by the SHA-256 of what users have of them. */
export interface KnownModel {
  readonly name: string;
  readonly thresholds: Thresholds;
}

const versatileFluo: KnownModel = {
  name: "2D_versatile_fluo",
  thresholds: { prob: 0.479071463157368, nms: 0.3 },
};

export const knownModels: ReadonlyMap<string, KnownModel> = new Map([
  // python_2D_versatile_fluo.zip of stardist-models v0.1, and the weights_best.h5 in it.
  ["4ad678d0758eed6e55625f1b5ae30771e59adb79f1239e09b9772eac8846c3dd", versatileFluo],
  ["42202bd269c8106782316f1a2c75afb3f5ffa65e525c2e155ee0ced3a95da349", versatileFluo],
]);
