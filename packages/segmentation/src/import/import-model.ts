import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { KernelError, readOnnxSummary } from "@cytomesh/kernels";
import { SegmentationError } from "../errors.ts";
import {
  convsOf,
  divisorOf,
  parseConfig,
  parseThresholds,
  planNetwork,
  type StarDistConfig,
  type Thresholds,
} from "../stardist/config.ts";
import { assignLayers, inferConfig, type WeightLayer } from "../stardist/layers.ts";
import {
  configJson,
  modelKeys,
  modelKind,
  type Normalization,
  openNetwork,
  readModel,
  type StarDistModel,
} from "../stardist/model.ts";
import { buildStarDistOnnx } from "../stardist/network.ts";
import { type ModelFiles, openModelFiles, sha256Of } from "./files.ts";
import { readForeignOnnx } from "./foreign-onnx.ts";
import { readFrozenGraph } from "./graph-def.ts";
import { readKerasH5 } from "./keras-h5.ts";
import { knownModels } from "./known-models.ts";
import { readRaw } from "./raw.ts";
import { measureReach } from "./reach.ts";
import { readTensorBundle } from "./tensor-bundle.ts";
import { readTfjs } from "./tfjs.ts";

export type WeightsFormat =
  | "keras-h5"
  | "saved-model"
  | "tfjs"
  | "frozen-graph"
  | "raw"
  | "onnx"
  | "cytomesh";

export interface ImportOptions {
  /** Path of `config.json`; default: the one beside the weights, or else read off the weights. */
  readonly config?: string;
  /** Path of `thresholds.json`; default: the one beside the weights, those of a known model, or StarDist's 0.5 and 0.4. */
  readonly thresholds?: string;
  /** What the file (or archive, or the weights in it) has to hash to. */
  readonly sha256?: string;
  /** What the network was trained on; default `min-max`. */
  readonly normalization?: Normalization;
}

export interface ImportedModel {
  /** The model as an ONNX file; the same weights give the same bytes. */
  readonly onnx: Uint8Array;
  readonly model: StarDistModel;
  readonly format: WeightsFormat;
  readonly parameters: number;
  /** Name of the published model that the weights are, if they are one. */
  readonly known: string | undefined;
  readonly warnings: readonly string[];
}

/** What StarDist uses when a model brings none. */
const standardThresholds: Thresholds = { prob: 0.5, nms: 0.4 };

/**
 * Makes an ONNX model of StarDist 2D weights: a Keras `.h5`, a SavedModel, a TensorFlow.js model, a frozen graph, raw float32 with a manifest, or
 * an ONNX file; alone, in a folder, or in a `.zip`. Files are parsed, never run. The receptive field is measured with the weights.
 *
 * @throws SegmentationError `invalid_model`, `checksum_mismatch`, `too_large`
 */
export async function importModel(path: string, options: ImportOptions = {}): Promise<ImportedModel> {
  const files = openModelFiles(path);
  try {
    const found = findWeights(files);
    const sourceSha256 = sha256Of(files.read(found.name));
    checkSha256(options.sha256, files.sha256, sourceSha256);
    const known = knownModels.get(sourceSha256) ?? knownModels.get(files.sha256 ?? "");
    if (found.format === "cytomesh") {
      const onnx = files.read(found.name);
      return {
        onnx,
        model: readModel(onnx),
        format: "cytomesh",
        parameters: parametersOf(readModel(onnx).config),
        known: known?.name,
        warnings: [],
      };
    }
    const layers = await readLayers(files, found);
    const warnings: string[] = [];
    const config = await configOf(files, found.name, options.config, layers, warnings);
    const thresholds = await thresholdsOf(files, found.name, options.thresholds, known?.thresholds, warnings);
    if (config.classes > 0) warnings.push(`the classes of this network (${config.classes}) are left out`);
    const convs = assignLayers(config, layers);
    const metadata = (reach: number) => ({
      [modelKeys.kind]: modelKind,
      [modelKeys.version]: "1",
      [modelKeys.config]: JSON.stringify(configJson(config)),
      [modelKeys.thresholds]: JSON.stringify(thresholds),
      [modelKeys.axes]: "NCHW",
      [modelKeys.divisor]: divisorOf(config).join(),
      [modelKeys.reach]: String(reach),
      [modelKeys.normalization]: options.normalization ?? "min-max",
      [modelKeys.sourceSha256]: sourceSha256,
      [modelKeys.sourceFormat]: found.format,
      [modelKeys.sourceName]: known?.name ?? basename(found.name),
    });
    const network = await openNetwork(buildStarDistOnnx(config, convs, {}), config);
    const reach = await measureReach(network, config).finally(() => network.close());
    const onnx = buildStarDistOnnx(config, convs, metadata(reach));
    return {
      onnx,
      model: readModel(onnx),
      format: found.format,
      parameters: parametersOf(config),
      known: known?.name,
      warnings,
    };
  } catch (cause) {
    if (cause instanceof KernelError && cause.tag === "invalid_model")
      throw new SegmentationError("invalid_model", `${basename(path)} cannot be read: ${cause.message}`, {
        cause,
      });
    throw cause;
  } finally {
    files.close();
  }
}

function checkSha256(expected: string | undefined, ...found: readonly (string | undefined)[]): void {
  if (expected === undefined || found.includes(expected.toLowerCase())) return;
  throw new SegmentationError(
    "checksum_mismatch",
    `expected weights with the SHA-256 ${expected}, found ${[...new Set(found.filter(Boolean))].join(" and ")}`,
  );
}

interface FoundWeights {
  readonly name: string;
  readonly format: WeightsFormat;
}

/** What in a folder or archive are weights, best first. */
const candidates: readonly [pattern: RegExp, format: WeightsFormat][] = [
  [/(^|\/)weights_best\.h5$/, "keras-h5"],
  [/(^|\/)variables\.index$/, "saved-model"],
  [/(^|\/)model\.json$/, "tfjs"],
  [/\.(h5|hdf5|keras)$/i, "keras-h5"],
  [/\.onnx$/i, "onnx"],
  [/(?<!saved_model)\.pb$/i, "frozen-graph"],
  [/(^|\/)manifest\.json$/, "raw"],
];

function findWeights(files: ModelFiles): FoundWeights {
  if (files.primary !== undefined) return identify(files, files.primary);
  for (const [pattern, format] of candidates) {
    const names = files.names().filter((name) => pattern.test(name));
    if (names.length > 1)
      throw new SegmentationError(
        "invalid_model",
        `expected one set of weights, found ${names.slice(0, 5).join(", ")}; name one`,
      );
    if (names[0] !== undefined)
      return format === "onnx" || format === "raw" ? identify(files, names[0]) : { name: names[0], format };
  }
  throw new SegmentationError(
    "invalid_model",
    `expected StarDist weights (weights_best.h5, a SavedModel, model.json, .onnx, .pb or manifest.json), found ${files.names().slice(0, 8).join(", ") || "nothing"}`,
  );
}

/** The format of a file by its content. */
function identify(files: ModelFiles, name: string): FoundWeights {
  const bytes = files.read(name);
  const start = Buffer.from(bytes.subarray(0, 8)).toString("latin1");
  if (start.startsWith("\u0089HDF")) return { name, format: "keras-h5" };
  if (/^\s*[{[]/.test(start)) {
    const json = parseJson(name, bytes) as { weightsManifest?: unknown; tensors?: unknown };
    if (json.weightsManifest !== undefined) return { name, format: "tfjs" };
    if (json.tensors !== undefined) return { name, format: "raw" };
    throw new SegmentationError("invalid_model", `expected a weightsManifest or tensors in ${name}`);
  }
  if (basename(name) === "saved_model.pb") {
    const index = `${folderOf(name)}variables/variables.index`;
    if (!files.has(index))
      throw new SegmentationError("invalid_model", `expected ${index} with the SavedModel, found none`);
    return { name: index, format: "saved-model" };
  }
  if (name.endsWith(".index")) return { name, format: "saved-model" };
  if (name.endsWith(".bin")) {
    const manifest = `${folderOf(name)}manifest.json`;
    if (files.has(manifest)) return { name: manifest, format: "raw" };
  }
  if (name.endsWith(".pb")) return { name, format: "frozen-graph" };
  const summary = readOnnxSummary(bytes);
  return { name, format: summary.metadata[modelKeys.kind] === modelKind ? "cytomesh" : "onnx" };
}

async function readLayers(files: ModelFiles, { name, format }: FoundWeights): Promise<WeightLayer[]> {
  switch (format) {
    case "keras-h5":
      return files.withPath(name, readKerasH5);
    case "saved-model":
      return readTensorBundle(files, name.replace(/\.index$/, ""));
    case "tfjs":
      return readTfjs(files, parseJson(name, files.read(name)), folderOf(name));
    case "frozen-graph":
      return readFrozenGraph(files.read(name));
    case "raw":
      return readRaw(parseJson(name, files.read(name)), files.read(rawWeights(files, name)));
    default:
      return readForeignOnnx(files.read(name));
  }
}

/** The one `.bin` beside a manifest. */
function rawWeights(files: ModelFiles, manifest: string): string {
  const folder = folderOf(manifest);
  const found = files.names().filter((name) => folderOf(name) === folder && name.endsWith(".bin"));
  const weights =
    found.find((name) => basename(name) === "weights.bin") ?? (found.length === 1 ? found[0] : undefined);
  if (weights === undefined)
    throw new SegmentationError("invalid_model", `expected weights.bin beside ${manifest}`);
  return weights;
}

async function configOf(
  files: ModelFiles,
  weights: string,
  given: string | undefined,
  layers: readonly WeightLayer[],
  warnings: string[],
): Promise<StarDistConfig> {
  const json = await besideOrGiven(files, weights, given, "config.json");
  if (json === undefined) {
    warnings.push("there is no config.json: the configuration was read off the weights");
    return inferConfig(layers);
  }
  const config = parseConfig(json);
  // Exports may have folded the normalisation into the convolutions.
  return config.batchNorm && layers.every((layer) => layer.norm === undefined)
    ? { ...config, batchNorm: false }
    : config;
}

async function thresholdsOf(
  files: ModelFiles,
  weights: string,
  given: string | undefined,
  known: Thresholds | undefined,
  warnings: string[],
): Promise<Thresholds> {
  const json = await besideOrGiven(files, weights, given, "thresholds.json");
  if (json !== undefined) return parseThresholds(json);
  if (known !== undefined) return known;
  warnings.push(
    `there is no thresholds.json: StarDist's defaults are used, ${standardThresholds.prob} for probabilities and ${standardThresholds.nms} for overlaps`,
  );
  return standardThresholds;
}

/** A JSON file that was given, or lies beside the weights or, for exports in folders of their own, above them. */
async function besideOrGiven(
  files: ModelFiles,
  weights: string,
  given: string | undefined,
  name: string,
): Promise<unknown> {
  if (given !== undefined) return parseJson(given, await readFile(given));
  for (let folder = folderOf(weights); ; folder = folderOf(folder.slice(0, -1))) {
    if (files.has(`${folder}${name}`)) return parseJson(name, files.read(`${folder}${name}`));
    if (folder === "") return undefined;
  }
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (typeof json === "object" && json !== null) return json;
  } catch (cause) {
    throw new SegmentationError(
      "invalid_model",
      `${basename(name)} is no JSON: ${(cause as Error).message}`,
      { cause },
    );
  }
  throw new SegmentationError("invalid_model", `expected an object in ${basename(name)}`);
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

function parametersOf(config: StarDistConfig): number {
  return convsOf(planNetwork(config)).reduce(
    (sum, { kernel, channelsIn, channelsOut }) =>
      sum + kernel[0] * kernel[1] * channelsIn * channelsOut + channelsOut,
    0,
  );
}
