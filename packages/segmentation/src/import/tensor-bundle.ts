import { crc32c } from "@cytomesh/codecs";
import { readFields } from "@cytomesh/kernels";
import { SegmentationError } from "../errors.ts";
import type { WeightLayer } from "../stardist/layers.ts";
import type { ModelFiles } from "./files.ts";
import { readTable } from "./sstable.ts";
import { decodeFloats, elementsOf, type FloatType, gatherLayers, type NamedTensor } from "./tensors.ts";

// Field numbers of tensorflow/core/protobuf/tensor_bundle.proto and trackable_object_graph.proto; types of types.proto.
export const floatTypes: Readonly<Record<number, FloatType>> = {
  1: "float32",
  2: "float64",
  14: "bfloat16",
  19: "float16",
};
const stringType = 7;
const objectGraph = "_CHECKPOINTABLE_OBJECT_GRAPH";

/** Variables that are not weights. */
const bookkeeping =
  /^(save_counter|global_step|optimizer|_optimizer|keras_api|iterations)(\/|$)|\.OPTIMIZER_SLOT/;

interface Entry {
  readonly type: number;
  readonly shape: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  readonly crc: number;
}

/**
 * Layers of the variables of a SavedModel (TensorFlow's TensorBundle: `variables.index` and `variables.data-…`). The graph is not looked at, let
 * alone run.
 *
 * @param prefix path up to `.index`.
 * @throws SegmentationError `invalid_model`
 */
export function readTensorBundle(files: ModelFiles, prefix: string): WeightLayer[] {
  const table = readTable(files.read(`${prefix}.index`));
  const shards = headerShards(table.get(""));
  const data = new Map<number, Uint8Array>();
  const bytesOf = (key: string, entry: Entry): Uint8Array => {
    const name = `${prefix}.data-${String(entry.shard).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}`;
    const shard = data.get(entry.shard) ?? files.read(name);
    data.set(entry.shard, shard);
    if (entry.offset + entry.size > shard.length)
      throw damaged(`${key} ends at ${entry.offset + entry.size} in ${name} of ${shard.length} bytes`);
    return shard.subarray(entry.offset, entry.offset + entry.size);
  };
  const entries = [...table]
    .filter(([key]) => key !== "")
    .map(([key, value]) => [key, parseEntry(key, value)] as const);
  const graph = entries.find(([key]) => key === objectGraph);
  const names = graph === undefined ? new Map<string, string>() : variableNames(bytesOf(...graph));
  const tensors = entries.flatMap(([key, entry]): NamedTensor[] => {
    if (bookkeeping.test(key) || entry.type === stringType) return [];
    const name = names.get(key) || key;
    if (bookkeeping.test(name)) return [];
    const type = floatTypes[entry.type];
    if (type === undefined)
      throw damaged(`expected float weights, found TensorFlow type ${entry.type} at ${name}`);
    elementsOf(entry.shape);
    const bytes = bytesOf(key, entry);
    if (entry.crc !== crc32c(bytes)) throw damaged(`the checksum of ${name} does not hold`);
    return [{ name, shape: entry.shape, data: decodeFloats(name, type, entry.shape, bytes) }];
  });
  return gatherLayers(tensors, "sorted");
}

function headerShards(header: Uint8Array | undefined): number {
  if (header === undefined) throw damaged("the index has no header");
  const fields = [...readFields(header)];
  if (fields.some((field) => field.number === 2 && field.value !== 0))
    throw damaged("expected little-endian variables");
  return fields.find((field) => field.number === 1)?.value ?? 0;
}

function parseEntry(key: string, value: Uint8Array): Entry {
  const entry = { type: 0, shape: [] as number[], shard: 0, offset: 0, size: 0, crc: 0 };
  for (const field of readFields(value)) {
    if (field.number === 1) entry.type = field.value;
    if (field.number === 2) entry.shape = readShape(field.bytes);
    if (field.number === 3) entry.shard = field.value;
    if (field.number === 4) entry.offset = field.value;
    if (field.number === 5) entry.size = field.value;
    if (field.number === 6) entry.crc = unmasked(Buffer.from(field.bytes).readUInt32LE(0));
    if (field.number === 7) throw damaged(`${key} is cut in slices, which is not read`);
  }
  return entry;
}

/** TensorShapeProto: dim = 2 { size = 1 }. */
export function readShape(bytes: Uint8Array): number[] {
  return [...readFields(bytes)]
    .filter((field) => field.number === 2)
    .map((field) => [...readFields(field.bytes)].find((part) => part.number === 1)?.value ?? 0);
}

/** Stored checksums are rotated and offset, so that checksums of checksums stay useful. */
function unmasked(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** Names that variables had in Keras, by the keys they are stored under. */
function variableNames(stored: Uint8Array): Map<string, string> {
  // A string tensor of one element: its length, a checksum of the length, its bytes.
  let at = 0;
  while (at < stored.length && (stored[at] as number) >= 128) at += 1;
  const names = new Map<string, string>();
  for (const node of readFields(stored.subarray(at + 1 + 4))) {
    if (node.number !== 1) continue;
    for (const attribute of readFields(node.bytes)) {
      if (attribute.number !== 2) continue;
      let fullName = "";
      let key = "";
      for (const field of readFields(attribute.bytes)) {
        if (field.number === 2) fullName = Buffer.from(field.bytes).toString("utf8");
        if (field.number === 3) key = Buffer.from(field.bytes).toString("utf8");
      }
      names.set(key, fullName);
    }
  }
  return names;
}

function damaged(message: string): SegmentationError {
  return new SegmentationError("invalid_model", `the variables of the SavedModel cannot be read: ${message}`);
}
