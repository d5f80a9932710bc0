import type { ZarrType } from "../types.ts";

/**
 * A step that turns bytes into bytes. `decode` returns at most `maxBytes` or throws; plain errors are wrapped by the pipeline, which
 * knows the array and chunk.
 */
export interface BytesCodec {
  name: string;
  /** `into`: where a result of exactly that length may be put instead of into new memory; using it is a codec's own choice. */
  decode(bytes: Uint8Array, maxBytes: number, into?: Uint8Array): Uint8Array;
  /** Missing where this package only reads. */
  encode?(bytes: Uint8Array): Uint8Array;
  /** Bytes in → bytes out when writing, where that does not depend on the content. */
  encodedSize?(size: number): number;
}

/** A step on the elements: an axis permutation, or a numcodecs filter that works on numbers. */
export type ArrayCodec =
  | { name: string; transpose: readonly number[] }
  | { name: string; numbers: BytesCodec; encodedType: ZarrType };

/** How elements become bytes. */
export type Serializer =
  | { name: string; kind: "fixed"; swap: number; itemBytes: number }
  | { name: string; kind: "strings" | "byte-strings" }
  | {
      name: string;
      kind: "shards";
      chunks: readonly number[];
      inner: Pipeline;
      index: Pipeline;
      indexAt: "start" | "end";
      indexBytes: (chunks: number) => number;
    };

/** Codecs in the order of writing; reading goes backwards. */
export interface Pipeline {
  arrays: readonly ArrayCodec[];
  serializer: Serializer;
  bytes: readonly BytesCodec[];
}
