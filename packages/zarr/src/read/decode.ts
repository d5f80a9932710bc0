import { CodecError } from "@cytomesh/codecs";
import type { Pipeline } from "../codecs/codec.ts";
import { asNumbers } from "../codecs/numbers.ts";
import { swapBytes } from "../codecs/swap.ts";
import { decodeVariable } from "../codecs/variable.ts";
import { ZarrError } from "../errors.ts";
import { asUnits, copyBox, product, rowMajor } from "./copy.ts";
import type { Decoded } from "./target.ts";

/** What a codec that is not next to the elements may give back: more than the elements by this factor plus room for headers. */
const slack = { factor: 8, bytes: 64 * 1024 };
/**
 * What values of variable length may unpack to, whose size is known only then: many short ones that repeat shrink to nearly nothing, long ones
 * hardly to less than a thousandth.
 */
const variableSlack = { perValue: 1024, perStored: 1000, bytes: 64 * 1024 ** 2 };

/**
 * Undoes a pipeline without shards for one chunk.
 *
 * @param into where the elements may be put, see `BytesCodec.decode`
 * @returns the elements row-major in the machine's byte order, or one value each
 * @throws ZarrError "corrupt", naming `where`
 */
export function decodeChunk(
  pipeline: Pipeline,
  stored: Uint8Array,
  shape: readonly number[],
  maxBytes: number,
  where: string,
  into?: Uint8Array,
): Decoded {
  return wrapped(where, () => {
    const count = product(shape);
    const bytes = decodeBytes(pipeline, stored, count, maxBytes, into);
    const { serializer } = pipeline;
    if (serializer.kind === "shards") throw new RangeError("a shard inside a chunk");
    if (serializer.kind !== "fixed")
      return permuteAll(pipeline, decodeVariable(bytes, count, serializer.kind), shape);
    const expected = count * serializer.itemBytes;
    if (bytes.length !== expected) throw new RangeError(`${bytes.length} bytes, expected ${expected}`);
    return permuteAll(pipeline, serializer.swap > 1 ? swapBytes(bytes, serializer.swap) : bytes, shape);
  });
}

/** The steps from bytes to bytes, last one first. */
export function decodeBytes(
  pipeline: Pipeline,
  stored: Uint8Array,
  count: number,
  maxBytes: number,
  into?: Uint8Array,
): Uint8Array {
  const { serializer } = pipeline;
  const exact = serializer.kind === "fixed" ? count * serializer.itemBytes : undefined;
  const { perValue, perStored } = variableSlack;
  const most =
    exact === undefined
      ? count * perValue + stored.length * perStored + variableSlack.bytes
      : exact * slack.factor + slack.bytes;
  const loose = Math.min(maxBytes, most);
  let bytes = stored;
  for (let step = pipeline.bytes.length - 1; step >= 0; step--) {
    bytes = pipeline.bytes[step]!.decode(
      bytes,
      step === 0 ? (exact ?? loose) : loose,
      step === 0 ? into : undefined,
    );
  }
  return bytes;
}

/** The steps on elements, last one first; `shape` is that of the chunk before all of them. */
export function permuteAll(pipeline: Pipeline, values: Decoded, shape: readonly number[]): Decoded {
  const shapes: (readonly number[])[] = [];
  let sides = shape;
  for (const codec of pipeline.arrays) {
    shapes.push(sides);
    if ("transpose" in codec) sides = codec.transpose.map((axis) => sides[axis]!);
  }
  let out = values;
  for (let step = pipeline.arrays.length - 1; step >= 0; step--) {
    const codec = pipeline.arrays[step]!;
    if ("transpose" in codec) out = untranspose(out, shapes[step]!, codec.transpose);
    else if (Array.isArray(out)) throw new RangeError(`${codec.name} over values of variable length`);
    else {
      asNumbers(out, codec.encodedType); // whole elements only
      out = codec.numbers.decode(out, product(shape) * 8);
    }
  }
  return out;
}

/** Axis i of what is stored is axis order[i] of the chunk. */
function untranspose(values: Decoded, shape: readonly number[], order: readonly number[]): Decoded {
  const stored = rowMajor(order.map((axis) => shape[axis]!));
  const strides = new Array<number>(shape.length);
  for (const [i, axis] of order.entries()) strides[axis] = stored[i]!;
  if (Array.isArray(values)) {
    const out = new Array<unknown>(values.length);
    copyBox(values, { offset: 0, strides }, out, { offset: 0, strides: rowMajor(shape) }, shape);
    return out;
  }
  const count = product(shape);
  if (count === 0) return values;
  const out = new Uint8Array(values.length);
  const itemBytes = values.length / count;
  const { units, per } = asUnits(values, itemBytes);
  copyBox(
    units,
    { offset: 0, strides: [...strides.map((stride) => stride * per), 1] },
    asUnits(out, itemBytes).units,
    { offset: 0, strides: [...rowMajor(shape).map((stride) => stride * per), 1] },
    [...shape, per],
  );
  return out;
}

export function wrapped<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof ZarrError) throw cause;
    const tag = cause instanceof CodecError ? cause.tag : "corrupt";
    throw new ZarrError(tag, `${where} cannot be decoded: ${(cause as Error).message}`, { cause });
  }
}
