import { createHash } from "node:crypto";
import {
  createDenseSession,
  type DenseSession,
  type DenseTensor,
  KernelError,
  readOnnxSummary,
} from "@cytomesh/kernels";
import { SegmentationError } from "../errors.ts";
import { divisorOf, parseConfig, parseThresholds, type StarDistConfig, type Thresholds } from "./config.ts";

/** Metadata of an ONNX file of ours. */
export const modelKeys = {
  kind: "cytomesh.model_kind",
  version: "cytomesh.model_version",
  config: "cytomesh.stardist.config",
  thresholds: "cytomesh.stardist.thresholds",
  axes: "cytomesh.stardist.axes",
  divisor: "cytomesh.stardist.divisor",
  reach: "cytomesh.stardist.receptive_field",
  normalization: "cytomesh.stardist.normalization",
  sourceSha256: "cytomesh.source_sha256",
  sourceFormat: "cytomesh.source_format",
  sourceName: "cytomesh.source_name",
} as const;

export const modelKind = "stardist-2d";

/** How an image becomes what the network has seen in training. */
export const normalizations = ["min-max", "percentile", "none"] as const;

export type Normalization = (typeof normalizations)[number];

/** What a model file of ours says of itself. */
export interface StarDistModel {
  readonly config: StarDistConfig;
  readonly thresholds: Thresholds;
  /** Of the weights that it was made from. */
  readonly sourceSha256: string;
  readonly normalization: Normalization;
  /** Pixels around a pixel that change its probability, measured with these weights. */
  readonly reachPx: number;
  /** Of the ONNX file. */
  readonly sha256: string;
}

/** A configuration as StarDist's `config.json` spells it; what `parseConfig` reads. */
export function configJson(config: StarDistConfig): Record<string, unknown> {
  return {
    n_dim: 2,
    axes: "YXC",
    backbone: "unet",
    n_rays: config.rays,
    grid: config.grid,
    n_channel_in: config.channelsIn,
    n_classes: config.classes === 0 ? null : config.classes,
    unet_n_depth: config.depth,
    unet_kernel_size: config.kernel,
    unet_pool: config.pool,
    unet_n_filter_base: config.filterBase,
    unet_expansion: config.expansion,
    unet_n_conv_per_depth: config.convPerDepth,
    unet_activation: config.activation,
    unet_last_activation: config.lastActivation,
    unet_batch_norm: config.batchNorm,
    unet_prefix: config.prefix,
    net_conv_after_unet: config.convAfterUnet,
  };
}

/**
 * What a model file says of itself.
 * @throws SegmentationError `invalid_model` for what `importModel` has not made
 */
export function readModel(bytes: Uint8Array): StarDistModel {
  const { metadata } = asInvalidModel(() => readOnnxSummary(bytes));
  const value = (key: string): string => {
    const text = metadata[key];
    if (text === undefined)
      throw new SegmentationError(
        "invalid_model",
        `expected a model made by "cytomesh imaging import-model", found an ONNX file without ${key}; import it first`,
      );
    return text;
  };
  if (value(modelKeys.kind) !== modelKind)
    throw new SegmentationError(
      "invalid_model",
      `expected a model of kind ${modelKind}, found ${metadata[modelKeys.kind]}`,
    );
  const normalization = value(modelKeys.normalization) as Normalization;
  const reachPx = Number(value(modelKeys.reach));
  if (!normalizations.includes(normalization) || !(reachPx >= 0))
    throw new SegmentationError("invalid_model", "the metadata of the model are damaged; import it again");
  return {
    config: parseConfig(json(value(modelKeys.config))),
    thresholds: parseThresholds(json(value(modelKeys.thresholds))),
    sourceSha256: value(modelKeys.sourceSha256),
    normalization,
    reachPx,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SegmentationError("invalid_model", "the metadata of the model are damaged; import it again", {
      cause,
    });
  }
}

/** Prediction of a padded image: planes of cells. */
export interface RawPrediction {
  readonly rows: number;
  readonly columns: number;
  readonly probabilities: Float32Array;
  readonly distances: Float32Array;
}

/** A network that is ready to run. `predict` blocks its thread while it computes. */
export interface Network {
  readonly config: StarDistConfig;
  /**
   * @param pixels channels × height × width, normalised.
   * @throws SegmentationError `invalid_argument`, `runtime`, `closed`
   */
  predict(pixels: Float32Array, width: number, height: number): Promise<RawPrediction>;
  close(): Promise<void>;
}

/** Opens a network for one image at a time. */
export async function openNetwork(model: Uint8Array, config: StarDistConfig, threads = 1): Promise<Network> {
  const session: DenseSession = await asInvalidModelAsync(createDenseSession(model, { threads }));
  const [stepY, stepX] = divisorOf(config);
  return {
    config,
    async predict(pixels, width, height) {
      if (width % stepX !== 0 || height % stepY !== 0)
        throw new SegmentationError(
          "invalid_argument",
          `expected sides that are multiples of ${stepY} and ${stepX}`,
        );
      const outputs = await session
        .run({ image: { dims: [1, config.channelsIn, height, width], data: pixels } })
        .catch((cause: unknown) => {
          const tag = cause instanceof KernelError && cause.tag === "closed" ? "closed" : "runtime";
          throw new SegmentationError(tag, cause instanceof Error ? cause.message : String(cause), { cause });
        });
      const rows = height / config.grid[0];
      const columns = width / config.grid[1];
      return {
        rows,
        columns,
        probabilities: plane(outputs.prob, [1, 1, rows, columns]),
        distances: plane(outputs.dist, [1, config.rays, rows, columns]),
      };
    },
    close: () => session.close(),
  };
}

function plane(tensor: DenseTensor | undefined, shape: readonly number[]): Float32Array {
  if (!(tensor?.data instanceof Float32Array) || tensor.dims.join() !== shape.join())
    throw new SegmentationError(
      "invalid_model",
      `expected an output of ${shape.join(" × ")} from the model, found ${tensor?.dims.join(" × ") ?? "none"}`,
    );
  return tensor.data;
}

/** Damage that the kernels find is damage of the model. */
function asInvalidModel<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw damaged(cause);
  }
}

async function asInvalidModelAsync<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((cause: unknown) => {
    throw damaged(cause);
  });
}

function damaged(cause: unknown): unknown {
  return cause instanceof KernelError && cause.tag === "invalid_model"
    ? new SegmentationError("invalid_model", cause.message, { cause })
    : cause;
}
