import { type H5Reader, Hdf5Error, openH5 } from "@cytomesh/hdf5";
import { SegmentationError } from "../errors.ts";
import type { WeightLayer } from "../stardist/layers.ts";
import { byNumbers, elementsOf, gatherLayers, type NamedTensor } from "./tensors.ts";

const maxLayers = 2_000;

/**
 * Layers of a Keras weights file: `weights_best.h5` of StarDist (Keras 1 and 2: `layer_names`, `weight_names`), a whole model (`model_weights`),
 * or `.weights.h5` of Keras 3 (`layers/NAME/vars/N`, where layers are only counted).
 *
 * @throws SegmentationError `invalid_model`
 */
export async function readKerasH5(path: string): Promise<WeightLayer[]> {
  let file: H5Reader | undefined;
  try {
    file = await openH5(path, { maxBytes: 2 ** 30 });
    const root = file.kind("/model_weights") === "group" ? "/model_weights" : "";
    if (file.kind(`${root}/layers`) === "group" && strings(file, root || "/", "layer_names") === undefined)
      return readCounted(file, `${root}/layers`);
    return readNamed(file, root);
  } catch (cause) {
    if (cause instanceof Hdf5Error)
      throw new SegmentationError("invalid_model", `the Keras weights cannot be read: ${cause.message}`, {
        cause,
      });
    throw cause;
  } finally {
    file?.close();
  }
}

function readNamed(file: H5Reader, root: string): WeightLayer[] {
  const listed = strings(file, root || "/", "layer_names");
  const layers = listed ?? file.children(root || "/").sort(byNumbers);
  if (layers.length > maxLayers)
    throw new SegmentationError(
      "invalid_model",
      `expected at most ${maxLayers} layers, found ${layers.length}`,
    );
  return gatherLayers(
    layers.flatMap((layer) => {
      const group = `${root}/${layer}`;
      if (file.kind(group) !== "group") return [];
      const names = strings(file, group, "weight_names") ?? datasetsBelow(file, group, "", 0);
      return names.map((name) => {
        const tensor = readTensor(file, `${group}/${name}`);
        // Some writers leave the layer out of the names of its weights.
        return { ...tensor, name: `${layer}/${name.split("/").at(-1)}` };
      });
    }),
    "file",
  );
}

/** Keras 3 counts the layers of each class, and their variables. */
function readCounted(file: H5Reader, root: string): WeightLayer[] {
  return file
    .children(root)
    .sort(byNumbers)
    .flatMap((layer): WeightLayer[] => {
      const vars = `${root}/${layer}/vars`;
      if (file.kind(vars) !== "group") return [];
      const tensors = file
        .children(vars)
        .sort(byNumbers)
        .map((name) => readTensor(file, `${vars}/${name}`));
      const [first, second, third, fourth] = tensors;
      if (first === undefined) return [];
      if (first.shape.length === 4)
        return [{ name: layer, kernel: first, ...(second === undefined ? {} : { bias: second }) }];
      if (tensors.length === 4 && third !== undefined && fourth !== undefined)
        return [
          {
            name: layer,
            norm: {
              gamma: first,
              ...(second === undefined ? {} : { beta: second }),
              mean: third,
              variance: fourth,
            },
          },
        ];
      throw new SegmentationError(
        "invalid_model",
        `the layer ${layer} is neither a convolution nor a normalisation`,
      );
    });
}

function datasetsBelow(file: H5Reader, group: string, prefix: string, depth: number): string[] {
  if (depth > 4) throw new SegmentationError("invalid_model", `the groups of ${group} are nested too deeply`);
  return file.children(`${group}/${prefix}`.replace(/\/$/, "")).flatMap((name) => {
    const path = `${prefix}${name}`;
    return file.kind(`${group}/${path}`) === "dataset"
      ? [path]
      : datasetsBelow(file, group, `${path}/`, depth + 1);
  });
}

function readTensor(file: H5Reader, path: string): NamedTensor {
  const info = file.dataset(path);
  if (info.type.kind !== "float" || info.shape === undefined)
    throw new SegmentationError("invalid_model", `expected numbers at ${path}, found ${info.type.kind}`);
  elementsOf(info.shape);
  return { name: path, shape: info.shape, data: Float32Array.from(file.read(info) as Float32Array) };
}

function strings(file: H5Reader, path: string, name: string): string[] | undefined {
  const values = file.attribute(path, name)?.values;
  return Array.isArray(values) ? values : undefined;
}
