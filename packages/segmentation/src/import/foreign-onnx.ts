import { type Field, readFields } from "@cytomesh/kernels";
import { SegmentationError } from "../errors.ts";
import type { Tensor, WeightLayer } from "../stardist/layers.ts";
import { channelsLast } from "./raw.ts";
import { decodeFloats, elementsOf, type FloatType } from "./tensors.ts";

// Field numbers of onnx.proto3; see packages/kernels for writing.
const floatTypes: Readonly<Record<number, FloatType>> = { 1: "float32", 10: "float16", 11: "float64" };

interface Node {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * Convolutions of an ONNX file that something else has exported (tf2onnx and the like), in the order of its graph.
 * @throws SegmentationError `invalid_model`
 */
export function readForeignOnnx(bytes: Uint8Array): WeightLayer[] {
  const graph = [...readFields(bytes)].find((field) => field.number === 7);
  if (graph === undefined) throw invalid("it has no graph");
  const tensors = new Map<string, Tensor>();
  const nodes: Node[] = [];
  for (const field of readFields(graph.bytes)) {
    if (field.number === 5) readTensor(field.bytes, tensors);
    if (field.number === 1) nodes.push(readNode(field.bytes));
  }
  const convs = nodes.filter((node) => node.op === "Conv");
  return convs.map((node): WeightLayer => {
    const weights = tensors.get(node.inputs[1] ?? "");
    if (weights?.shape.length !== 4)
      throw invalid(`the convolution ${node.name.slice(0, 80)} has no constant kernel`);
    const bias = tensors.get(node.inputs[2] ?? "") ?? addedBias(node, nodes, tensors);
    return {
      name: layerName(node),
      kernel: channelsLast(weights.shape, weights.data),
      ...(bias === undefined ? {} : { bias }),
    };
  });
}

/** Names come from the operation or its kernel: `model/down_level_0_no_0/Conv2D`. */
function layerName(node: Node): string {
  for (const text of [node.name, node.inputs[1] ?? ""]) {
    const found = /(\w+)\/(?:Conv2D|BiasAdd|kernel)/.exec(text);
    if (found?.[1] !== undefined) return found[1];
  }
  return node.name || (node.inputs[1] as string);
}

/** A bias that is added by an operation of its own, [1, channels, 1, 1]. */
function addedBias(
  conv: Node,
  nodes: readonly Node[],
  tensors: ReadonlyMap<string, Tensor>,
): Tensor | undefined {
  const add = nodes.find((node) => node.op === "Add" && node.inputs.includes(conv.outputs[0] as string));
  const tensor = add?.inputs.map((name) => tensors.get(name)).find((one) => one !== undefined);
  return tensor === undefined ? undefined : { shape: [tensor.data.length], data: tensor.data };
}

function readNode(bytes: Uint8Array): Node {
  const fields = [...readFields(bytes)];
  const all = (number: number) => fields.filter((field) => field.number === number).map(text);
  return { inputs: all(1), outputs: all(2), name: all(3)[0] ?? "", op: all(4)[0] ?? "" };
}

function readTensor(bytes: Uint8Array, into: Map<string, Tensor>): void {
  const shape: number[] = [];
  let type = 0;
  let name = "";
  let raw: Uint8Array | undefined;
  const floats: Uint8Array[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) shape.push(...(field.bytes.length > 0 ? varints(field.bytes) : [field.value]));
    if (field.number === 2) type = field.value;
    if (field.number === 4) floats.push(field.bytes);
    if (field.number === 8) name = text(field);
    if (field.number === 9) raw = field.bytes;
  }
  const stored = floatTypes[type];
  if (stored === undefined) return;
  elementsOf(shape);
  into.set(name, { shape, data: decodeFloats(name, stored, shape, raw ?? Buffer.concat(floats)) });
}

/** Packed dimensions. */
function varints(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte % 128) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    values.push(value);
    value = 0;
    scale = 1;
  }
  return values;
}

function text(field: Field): string {
  return Buffer.from(field.bytes.buffer, field.bytes.byteOffset, field.bytes.byteLength).toString("utf8");
}

function invalid(message: string): SegmentationError {
  return new SegmentationError("invalid_model", `the ONNX file cannot be read: ${message}`);
}
