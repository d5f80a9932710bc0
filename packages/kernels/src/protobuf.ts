import { KernelError } from "./errors.ts";

/** A protobuf message as its already encoded fields, in order. */
export type Encoded = readonly Uint8Array[];

const utf8 = new TextEncoder();

export function varintField(field: number, value: number): Encoded {
  return [varint(field * 8), varint(value)];
}

/** A length-delimited field holding bytes. */
export function bytesField(field: number, bytes: Uint8Array): Encoded {
  return [varint(field * 8 + 2), varint(bytes.length), bytes];
}

export function stringField(field: number, text: string): Encoded {
  return bytesField(field, utf8.encode(text));
}

export function floatField(field: number, value: number): Encoded {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [varint(field * 8 + 5), bytes];
}

/** A length-delimited field holding a message. */
export function messageField(field: number, ...parts: Encoded[]): Encoded {
  const body = parts.flat();
  const length = body.reduce((total, part) => total + part.length, 0);
  return [varint(field * 8 + 2), varint(length), ...body];
}

export function concat(parts: Encoded): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Non-negative integers up to 2^53: 32-bit shifts would cut them. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export interface Field {
  readonly number: number;
  /** The value of a varint field, otherwise 0. */
  readonly value: number;
  /** The content of a length-delimited field, otherwise empty. */
  readonly bytes: Uint8Array;
}

/**
 * The fields of one message, in order; nested messages stay encoded.
 * @throws KernelError `invalid_model` when the bytes are not a protobuf message
 */
export function* readFields(message: Uint8Array): Generator<Field> {
  const empty = new Uint8Array();
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1, length = 0; length < 10; scale *= 128, length++) {
      const byte = message[at++];
      if (byte === undefined) throw truncated();
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
    throw truncated();
  };
  while (at < message.length) {
    const key = read();
    const wire = key % 8;
    const number = Math.floor(key / 8);
    const length = wire === 2 ? read() : wire === 5 ? 4 : wire === 1 ? 8 : 0;
    if (wire === 0) yield { number, value: read(), bytes: empty };
    else if (wire === 1 || wire === 2 || wire === 5) {
      if (at + length > message.length) throw truncated();
      yield { number, value: 0, bytes: message.subarray(at, at + length) };
      at += length;
    } else throw truncated();
  }
}

function truncated(): KernelError {
  return new KernelError(
    "invalid_model",
    "expected a protobuf message, found bytes that end early or are none",
  );
}
