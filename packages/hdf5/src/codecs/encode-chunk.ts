import { deflateSync } from "node:zlib";
import { type Arena, deflateBound, reserve, type Span, view } from "@cytomesh/codecs";
import { filterIds } from "../filters.ts";

/** What is done to every chunk of a dataset, in this order: shuffle, then deflate or LZF, then the checksum. */
export interface Pipeline {
  shuffle: boolean;
  /** 0: none. */
  deflateLevel: number;
  lzf: boolean;
  fletcher32: boolean;
  /** Bytes of one element as it lies in the file. */
  elementBytes: number;
}

export interface EncodedChunk {
  /** In memory that the next chunk overwrites. */
  bytes: Uint8Array;
  /** Bit k set: filter k was left out. */
  filterMask: number;
}

/** The filter message that says what `encodeChunk` does. LZF's values are h5py's: its revision, liblzf's version, the chunk's size. */
export function filterSpecs(pipeline: Pipeline, chunkBytes: number): { id: number; values: number[] }[] {
  const specs: { id: number; values: number[] }[] = [];
  if (pipeline.shuffle) specs.push({ id: filterIds.shuffle, values: [pipeline.elementBytes] });
  if (pipeline.deflateLevel > 0) specs.push({ id: filterIds.deflate, values: [pipeline.deflateLevel] });
  if (pipeline.lzf) specs.push({ id: filterIds.lzf, values: [4, 0x105, chunkBytes] });
  if (pipeline.fletcher32) specs.push({ id: filterIds.fletcher32, values: [] });
  return specs;
}

/**
 * Level 1 of bytes or shuffled numbers is deflated by our own encoder, whose output is the same on every machine; all else by zlib,
 * whose output belongs to the Node release.
 */
export function encodeChunk(raw: Uint8Array, pipeline: Pipeline): EncodedChunk {
  const bound = deflateBound(raw.length);
  const arena = reserve([raw.length, bound, bound]);
  let span: Span = { at: arena.areas[0]!, length: raw.length };
  arena.bytes.set(raw, span.at);
  let filterMask = 0;
  let k = 0;
  if (pipeline.shuffle) {
    const at = arena.areas[1]!;
    arena.kernels.shuffle(span.at, at, span.length, pipeline.elementBytes);
    span = { at, length: span.length };
    k++;
  }
  if (pipeline.deflateLevel > 0) {
    span = deflate(arena, span, pipeline);
    k++;
  }
  if (pipeline.lzf) {
    const at = other(arena, span);
    const length = arena.kernels.lzfEncode(span.at, span.length, at);
    if (length === 0) filterMask |= 1 << k;
    else span = { at, length };
    k++;
  }
  if (pipeline.fletcher32) {
    const sum = arena.kernels.fletcher32(span.at, span.length) >>> 0;
    new DataView(arena.bytes.buffer).setUint32(span.at + span.length, sum, true);
    span = { at: span.at, length: span.length + 4 };
  }
  return { bytes: view(arena, span), filterMask };
}

function deflate(arena: Arena, from: Span, { deflateLevel, shuffle, elementBytes }: Pipeline): Span {
  const at = other(arena, from);
  const planes = shuffle ? elementBytes : 1;
  if (deflateLevel === 1 && (shuffle || elementBytes === 1) && planes <= 16) {
    return { at, length: arena.kernels.deflate(from.at, from.length, at, planes) };
  }
  const bytes = deflateSync(view(arena, from), { level: deflateLevel });
  arena.bytes.set(bytes, at);
  return { at, length: bytes.length };
}

function other(arena: Arena, span: Span): number {
  return arena.areas[span.at === arena.areas[1] ? 2 : 1]!;
}
