import { readFields } from "@cytomesh/kernels";
import { SegmentationError } from "../errors.ts";
import type { WeightLayer } from "../stardist/layers.ts";
import { floatTypes, readShape } from "./tensor-bundle.ts";
import { decodeFloats, elementsOf, gatherLayers, type NamedTensor } from "./tensors.ts";

// Field numbers of tensorflow/core/framework: GraphDef.node, NodeDef.{name, op, attr}, AttrValue.tensor, TensorProto.

/**
 * Layers of a frozen TensorFlow graph (`.pb`), whose weights are constants. Nothing of the graph is run.
 * @throws SegmentationError `invalid_model`
 */
export function readFrozenGraph(bytes: Uint8Array): WeightLayer[] {
  const tensors: NamedTensor[] = [];
  for (const node of readFields(bytes)) if (node.number === 1) tensors.push(...constantOf(node.bytes));
  // Shapes, strides and axes are constants too.
  const layers = gatherLayers(
    tensors.filter(
      (tensor) => tensor.shape.length === 4 || /(bias|gamma|beta|moving_\w+|BiasAdd)\b/.test(tensor.name),
    ),
    "sorted",
  );
  if (layers.length === 0)
    throw new SegmentationError(
      "invalid_model",
      "expected a frozen graph, found no constants that are weights of convolutions",
    );
  return layers;
}

function constantOf(node: Uint8Array): NamedTensor[] {
  let name = "";
  let op = "";
  let tensor: Uint8Array | undefined;
  for (const field of readFields(node)) {
    if (field.number === 1) name = Buffer.from(field.bytes).toString("utf8");
    if (field.number === 2) op = Buffer.from(field.bytes).toString("utf8");
    if (field.number !== 5) continue;
    const [key, value] = [...readFields(field.bytes)];
    if (key === undefined || value === undefined || Buffer.from(key.bytes).toString("utf8") !== "value")
      continue;
    tensor = [...readFields(value.bytes)].find((part) => part.number === 8)?.bytes;
  }
  if (op !== "Const" || tensor === undefined) return [];
  let type = 0;
  let shape: number[] = [];
  let content: Uint8Array = new Uint8Array();
  const values: Uint8Array[] = [];
  for (const field of readFields(tensor)) {
    if (field.number === 1) type = field.value;
    if (field.number === 2) shape = readShape(field.bytes);
    if (field.number === 4) content = field.bytes;
    if (field.number === 5) values.push(field.bytes);
  }
  const stored = floatTypes[type];
  if (stored === undefined) return [];
  const length = elementsOf(shape);
  const bytes = content.length > 0 ? content : Buffer.concat(values);
  // One value stands for all.
  if (bytes.length === 4 && length > 1 && stored === "float32")
    return [
      {
        name,
        shape,
        data: new Float32Array(length).fill(new Float32Array(new Uint8Array(bytes).buffer)[0] as number),
      },
    ];
  return [{ name, shape, data: decodeFloats(name, stored, shape, bytes) }];
}
