import { KernelError } from "./errors.ts";
import {
  bytesField,
  concat,
  type Encoded,
  floatField,
  messageField,
  stringField,
  varintField,
} from "./protobuf.ts";

// Field numbers are those of onnx.proto3 (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto).
const IR_VERSION = 8;
const OPSET = 17;
/** protobuf messages end at 2 GiB. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;
const ELEMENT_TYPES = { float32: 1, int32: 6, int64: 7 } as const;
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_STRING = 3;
const ATTRIBUTE_INTS = 7;

export type OnnxElementType = keyof typeof ELEMENT_TYPES;

export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxElementType;
  /** A string names a dimension that is known only at run time. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array;
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly ints?: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
  readonly strings?: Readonly<Record<string, string>>;
  readonly intLists?: Readonly<Record<string, readonly number[]>>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The bytes of an ONNX model file (IR 8, opset 17). The same graph gives the same bytes.
 * @throws KernelError `too_large` above 2 GiB
 */
export function encodeOnnxModel(graph: OnnxGraph): Uint8Array {
  const nodes = graph.nodes.map((node, i) => messageField(1, ...encodeNode(node, i)));
  const tensors = graph.initializers.map((tensor) => messageField(5, ...encodeTensor(tensor)));
  const body: Encoded[] = [
    ...nodes,
    stringField(2, graph.name),
    ...tensors,
    ...graph.inputs.map((value) => messageField(11, ...encodeValue(value))),
    ...graph.outputs.map((value) => messageField(12, ...encodeValue(value))),
  ];
  const metadata = Object.entries(graph.metadata ?? {}).map(([key, value]) =>
    messageField(14, stringField(1, key), stringField(2, value)),
  );
  const parts = [
    varintField(1, IR_VERSION),
    stringField(2, "cytomesh"),
    messageField(7, ...body),
    messageField(8, stringField(1, ""), varintField(2, OPSET)),
    ...metadata,
  ].flat();
  const total = parts.reduce((bytes, part) => bytes + part.length, 0);
  if (total > MAX_MODEL_BYTES) {
    throw new KernelError(
      "too_large",
      `an ONNX model holds at most ${MAX_MODEL_BYTES} bytes, this one needs ${total}`,
    );
  }
  return concat(parts);
}

function encodeNode(node: OnnxNode, index: number): Encoded[] {
  const ints = Object.entries(node.ints ?? {}).map(([name, value]) =>
    messageField(5, stringField(1, name), varintField(3, value), varintField(20, ATTRIBUTE_INT)),
  );
  const floats = Object.entries(node.floats ?? {}).map(([name, value]) =>
    messageField(5, stringField(1, name), floatField(2, value), varintField(20, ATTRIBUTE_FLOAT)),
  );
  const strings = Object.entries(node.strings ?? {}).map(([name, value]) =>
    messageField(5, stringField(1, name), stringField(4, value), varintField(20, ATTRIBUTE_STRING)),
  );
  const intLists = Object.entries(node.intLists ?? {}).map(([name, values]) =>
    messageField(
      5,
      stringField(1, name),
      ...values.map((value) => varintField(8, value)),
      varintField(20, ATTRIBUTE_INTS),
    ),
  );
  return [
    ...node.inputs.map((name) => stringField(1, name)),
    ...node.outputs.map((name) => stringField(2, name)),
    stringField(3, `${node.op}_${index}`),
    stringField(4, node.op),
    ...ints,
    ...floats,
    ...strings,
    ...intLists,
  ];
}

function encodeTensor({ name, shape, data }: OnnxTensor): Encoded[] {
  const type = data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "int64";
  return [
    ...shape.map((length) => varintField(1, length)),
    varintField(2, ELEMENT_TYPES[type]),
    stringField(8, name),
    bytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ];
}

function encodeValue({ name, type, shape }: OnnxValue): Encoded[] {
  const dimensions = shape.map((length) =>
    messageField(1, typeof length === "string" ? stringField(2, length) : varintField(1, length)),
  );
  const tensor = messageField(1, varintField(1, ELEMENT_TYPES[type]), messageField(2, ...dimensions));
  return [stringField(1, name), messageField(2, tensor)];
}
