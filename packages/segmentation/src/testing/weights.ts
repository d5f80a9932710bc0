import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32c } from "@cytomesh/codecs";
import { createH5 } from "@cytomesh/hdf5";
import { encodeOnnxModel } from "@cytomesh/kernels";
import type { Tensor, WeightLayer } from "../stardist/layers.ts";

/** Weights in every form that is imported, written as the tools write them; small and for tests only. */

/** The tensors of layers under the names that Keras gives them, `conv2d/kernel`. */
function tensorsOf(layers: readonly WeightLayer[]): [name: string, tensor: Tensor][] {
  return layers.flatMap(({ name, kernel, bias, norm }) =>
    Object.entries({
      kernel,
      bias,
      gamma: norm?.gamma,
      beta: norm?.beta,
      moving_mean: norm?.mean,
      moving_variance: norm?.variance,
    }).flatMap(([part, tensor]): [string, Tensor][] =>
      tensor === undefined ? [] : [[`${name}/${part}`, tensor]],
    ),
  );
}

const bytesOf = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

export function writeFile(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const float = { kind: "float", size: 4 } as const;

function textList(values: readonly string[]) {
  const type = { kind: "string", size: "variable", utf8: true } as const;
  return { shape: [values.length], type, values };
}

/** `weights_best.h5` as Keras 2 writes it; with `root`, the weights of a whole model. */
export function writeKerasH5(path: string, layers: readonly WeightLayer[], root = ""): void {
  const file = createH5(path);
  if (root !== "") file.group(root);
  // Layers without weights are listed too.
  file.group(`${root}/input`);
  file.attribute(`${root}/input`, "weight_names", textList([]));
  file.attribute(root || "/", "layer_names", textList(["input", ...layers.map((layer) => layer.name)]));
  for (const layer of layers) {
    const group = `${root}/${layer.name}`;
    file.group(group);
    file.group(`${group}/${layer.name}`);
    const tensors = tensorsOf([layer]);
    file.attribute(group, "weight_names", textList(tensors.map(([name]) => `${name}:0`)));
    for (const [name, { shape, data }] of tensors)
      file.dataset(`${group}/${name}:0`, { type: float, shape }, data);
  }
  file.finish();
}

/** `.weights.h5` as Keras 3 writes it: layers of a class are counted. */
export function writeKeras3(path: string, layers: readonly WeightLayer[]): void {
  const file = createH5(path);
  file.group("/layers");
  const counts = new Map<string, number>();
  for (const layer of layers) {
    const kind = layer.norm === undefined ? "conv2d" : "batch_normalization";
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    const group = `/layers/${count === 0 ? kind : `${kind}_${count}`}`;
    file.group(group);
    file.group(`${group}/vars`);
    for (const [i, [, { shape, data }]] of tensorsOf([layer]).entries())
      file.dataset(`${group}/vars/${i}`, { type: float, shape }, data);
  }
  file.finish();
}

// Protobuf and SSTable by hand, to not test the readers against themselves.

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

function message(...fields: [number: number, value: number | string | Uint8Array][]): Buffer {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === "number") return Buffer.from([...varint(number * 8), ...varint(value)]);
      const bytes = Buffer.from(value as string);
      return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
    }),
  );
}

const shapeMessage = (shape: readonly number[]) =>
  message(...shape.map((side): [number, Buffer] => [2, message([1, side])]));

function masked(crc: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return bytes;
}

/** A table of one block per entry, as LevelDB and TensorFlow lay it out. */
export function encodeTable(entries: readonly [key: string, value: Uint8Array][]): Buffer {
  const block = (list: readonly [string, Uint8Array][]) => {
    let before = "";
    const body = list.map(([key, value]) => {
      let shared = 0;
      while (shared < Math.min(before.length, key.length) && before[shared] === key[shared]) shared++;
      before = key;
      const own = Buffer.from(key.slice(shared));
      return Buffer.concat([
        Buffer.from([...varint(shared), ...varint(own.length), ...varint(value.length)]),
        own,
        value,
      ]);
    });
    const restarts = Buffer.alloc(8);
    restarts.writeUInt32LE(1, 4);
    const content = Buffer.concat([...body, restarts]);
    return Buffer.concat([
      content,
      Buffer.from([0]),
      masked(crc32c(Buffer.concat([content, Buffer.from([0])]))),
    ]);
  };
  const parts: Buffer[] = [];
  let at = 0;
  const add = (bytes: Buffer) => {
    parts.push(bytes);
    const handle = Buffer.from([...varint(at), ...varint(bytes.length - 5)]);
    at += bytes.length;
    return handle;
  };
  const half = Math.ceil(entries.length / 2);
  const index = [entries.slice(0, half), entries.slice(half)]
    .filter((list) => list.length > 0)
    .map((list): [string, Buffer] => [list.at(-1)?.[0] as string, add(block(list))]);
  const meta = add(block([]));
  const handles = Buffer.concat([meta, add(block(index))]);
  const footer = Buffer.alloc(48);
  handles.copy(footer);
  footer.writeBigUInt64LE(0xdb4775248b80fb57n, 40);
  return Buffer.concat([...parts, footer]);
}

/**
 * The variables of a SavedModel, below `folder/variables`. `keys`: "names" as TensorFlow 1 keeps them, "objects" as TensorFlow 2 does, where only
 * the object graph knows the names, or "counted" without that graph.
 */
export function writeSavedModel(
  folder: string,
  layers: readonly WeightLayer[],
  keys: "names" | "objects" | "counted" = "names",
): void {
  const numbers = new Map(layers.map((layer, i) => [layer.name, i]));
  const tensors = tensorsOf(layers).map(([name, tensor]) => {
    const [layer, part] = name.split("/") as [string, string];
    const key = `layer_with_weights-${numbers.get(layer)}/${part}/.ATTRIBUTES/VARIABLE_VALUE`;
    return {
      name,
      key: keys === "names" ? name : key,
      type: 1,
      shape: tensor.shape,
      bytes: bytesOf(tensor.data),
    };
  });
  const counter = {
    name: "",
    key: "save_counter/.ATTRIBUTES/VARIABLE_VALUE",
    type: 9,
    shape: [],
    bytes: new Uint8Array(8),
  };
  const graph = message(
    ...tensors.map(({ name, key }): [number, Buffer] => [
      1,
      message([2, message([1, "VARIABLE_VALUE"], [2, name], [3, key])]),
    ]),
  );
  const text = Buffer.concat([Buffer.from(varint(graph.length)), Buffer.alloc(4), graph]);
  const object = { name: "", key: "_CHECKPOINTABLE_OBJECT_GRAPH", type: 7, shape: [], bytes: text };
  const all = [...tensors, counter, ...(keys === "objects" ? [object] : [])].sort((a, b) =>
    a.key < b.key ? -1 : 1,
  );
  let at = 0;
  const entries = all.map(({ key, type, shape, bytes }): [string, Buffer] => {
    const entry = message([1, type], [2, shapeMessage(shape)], [4, at], [5, bytes.length]);
    at += bytes.length;
    return [key, Buffer.concat([entry, Buffer.from([6 * 8 + 5]), masked(crc32c(bytes))])];
  });
  writeFile(folder, "variables/variables.index", encodeTable([["", message([1, 1])], ...entries]));
  writeFile(folder, "variables/variables.data-00000-of-00001", Buffer.concat(all.map((one) => one.bytes)));
  writeFile(folder, "saved_model.pb", message([1, 1]));
}

/** A frozen graph: weights as constants among other nodes. */
export function encodeFrozenGraph(layers: readonly WeightLayer[]): Buffer {
  const constant = (name: string, { shape, data }: Tensor) => {
    const tensor = message([1, 1], [2, shapeMessage(shape)], [4, bytesOf(data)]);
    return message(
      [1, name],
      [2, "Const"],
      [5, message([1, "dtype"], [2, message([6, 1])])],
      [5, message([1, "value"], [2, message([8, tensor])])],
    );
  };
  const strides = { shape: [2], data: Float32Array.of(1, 1) };
  return message(
    [1, message([1, "input"], [2, "Placeholder"])],
    ...tensorsOf(layers).map(([name, tensor]): [number, Buffer] => [1, constant(name, tensor)]),
    [1, constant("up_sampling2d/Const", strides)],
  );
}

/** A TensorFlow.js graph model in two shards; `quantised`: kernels as uint16. */
export function writeTfjs(folder: string, layers: readonly WeightLayer[], quantised = false): void {
  const chunks: Buffer[] = [];
  const weights = tensorsOf(layers).map(([name, { shape, data }]) => {
    const [layer, part] = name.split("/") as [string, string];
    const entry = {
      name: `StatefulPartitionedCall/model/${layer}/${part === "kernel" ? "Conv2D" : "BiasAdd"}/ReadVariableOp`,
      shape,
      dtype: "float32",
    };
    if (!quantised || part !== "kernel") {
      chunks.push(Buffer.from(bytesOf(data)));
      return entry;
    }
    const min = Math.min(...data);
    const scale = (Math.max(...data) - min) / 65_535;
    chunks.push(Buffer.from(Uint16Array.from(data, (value) => Math.round((value - min) / scale)).buffer));
    return { ...entry, quantization: { dtype: "uint16", scale, min } };
  });
  const extra = { name: "StatefulPartitionedCall/model/up_sampling2d/Const", shape: [2], dtype: "int32" };
  chunks.push(Buffer.alloc(8));
  const bytes = Buffer.concat(chunks);
  const cut = Math.floor(bytes.length / 3);
  writeFile(folder, "group1-shard1of2.bin", bytes.subarray(0, cut));
  writeFile(folder, "group1-shard2of2.bin", bytes.subarray(cut));
  const paths = ["group1-shard1of2.bin", "group1-shard2of2.bin"];
  const model = {
    format: "graph-model",
    modelTopology: {},
    weightsManifest: [{ paths, weights: [...weights, extra] }],
  };
  writeFile(folder, "model.json", JSON.stringify(model));
}

/** [height, width, in, out] → [out, in, height, width]. */
function channelsFirst({ shape, data }: Tensor): Tensor {
  const [h, w, into, out] = shape as [number, number, number, number];
  const result = Float32Array.from(data, (_, i) => {
    const spatial = i % (h * w);
    const channel = Math.floor(i / (h * w)) % into;
    return data[(spatial * into + channel) * out + Math.floor(i / (h * w * into))] as number;
  });
  return { shape: [out, into, h, w], data: result };
}

/** Raw float32 and its manifest. */
export function writeRaw(folder: string, layers: readonly WeightLayer[]): void {
  const tensors: Record<string, { offset: number; length: number; shape: readonly number[] }> = {};
  const chunks: Buffer[] = [];
  let offset = 0;
  for (const { name, kernel, bias } of layers)
    for (const [part, tensor] of [
      ["w", channelsFirst(kernel as Tensor)],
      ["b", bias as Tensor],
    ] as const) {
      tensors[`${name}.${part}`] = { offset, length: tensor.data.length, shape: tensor.shape };
      offset += tensor.data.length;
      chunks.push(Buffer.from(bytesOf(tensor.data)));
    }
  writeFile(
    folder,
    "manifest.json",
    JSON.stringify({ tensors, conv_layers: layers.map((layer) => layer.name) }),
  );
  writeFile(folder, "weights.bin", Buffer.concat(chunks));
}

/** An ONNX file as converters write it; only its convolutions matter. */
export function encodeForeignOnnx(layers: readonly WeightLayer[]): Uint8Array {
  const convs = layers.map(({ name, kernel, bias }) => ({
    name,
    kernel: channelsFirst(kernel as Tensor),
    bias: bias as Tensor,
  }));
  return encodeOnnxModel({
    name: "exported",
    inputs: [{ name: "x", type: "float32", shape: ["N", 1, "H", "W"] }],
    outputs: [{ name: `y${convs.length - 1}`, type: "float32", shape: ["N", 1, "H", "W"] }],
    nodes: convs.map(({ name }, i) => ({
      op: "Conv",
      inputs: [i === 0 ? "x" : `y${i - 1}`, `model/${name}/Conv2D/ReadVariableOp`, `bias_${i}`],
      outputs: [`y${i}`],
    })),
    initializers: convs.flatMap(({ name, kernel, bias }, i) => [
      { name: `model/${name}/Conv2D/ReadVariableOp`, ...kernel },
      { name: `bias_${i}`, ...bias },
    ]),
  });
}
