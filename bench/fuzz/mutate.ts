/** Numbers from 0 to below 1, the same for the same seed (mulberry32, public domain). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Mutant {
  bytes: Uint8Array<ArrayBuffer>;
  /** What was done, for reports: "flip 3 bits from byte 96". */
  what: string;
}

export interface MutateOptions {
  /** Byte positions where structure begins (signatures, tags, headers): half of all changes are made within 64 bytes after one. */
  marks?: readonly number[];
  /** Byte order of the numbers that are overwritten, default little. */
  bigEndian?: boolean;
}

/** Reach of a mark. */
const structureBytes = 64;

/**
 * One damaged copy of a file: bits flipped, bytes replaced, numbers of 1 to 8 bytes overwritten with values that parsers trip over,
 * ranges copied, zeroed or cut out, the end cut off or extended; sometimes two of these. The same random numbers give the same mutant.
 */
export function mutate(original: Uint8Array, random: () => number, options: MutateOptions = {}): Mutant {
  let bytes = new Uint8Array(original);
  const done: string[] = [];
  const rounds = random() < 0.75 ? 1 : 2 + Math.floor(random() * 3);
  for (let round = 0; round < rounds && bytes.length > 0; round++) {
    const mutant = changes[Math.floor(random() * changes.length)]!(bytes, random, options);
    bytes = mutant.bytes;
    done.push(mutant.what);
  }
  return { bytes, what: done.join(", ") };
}

type Change = (bytes: Uint8Array<ArrayBuffer>, random: () => number, options: MutateOptions) => Mutant;

const below = (random: () => number, limit: number): number => Math.floor(random() * limit);

function place(bytes: Uint8Array, random: () => number, { marks = [] }: MutateOptions): number {
  if (marks.length === 0 || random() < 0.5) return below(random, bytes.length);
  return Math.min(bytes.length - 1, marks[below(random, marks.length)]! + below(random, structureBytes));
}

const flip: Change = (bytes, random, options) => {
  const count = 1 + below(random, 4);
  const at = place(bytes, random, options);
  for (let i = 0; i < count; i++) {
    const byte = Math.min(bytes.length - 1, at + below(random, 8));
    bytes[byte] = bytes[byte]! ^ (1 << below(random, 8));
  }
  return { bytes, what: `flip ${count} bits from byte ${at}` };
};

const replace: Change = (bytes, random, options) => {
  const at = place(bytes, random, options);
  const count = Math.min(bytes.length - at, 1 + below(random, 16));
  for (let i = 0; i < count; i++) bytes[at + i] = below(random, 256);
  return { bytes, what: `replace ${count} bytes at ${at}` };
};

const overwrite: Change = (bytes, random, options) => {
  const width = [1, 2, 4, 8][below(random, 4)]!;
  const at = Math.max(0, Math.min(bytes.length - width, place(bytes, random, options)));
  if (bytes.length < width) return flip(bytes, random, options);
  const value = telling(random, bytes.length);
  for (let i = 0; i < width; i++) {
    const index = options.bigEndian === true ? at + width - 1 - i : at + i;
    bytes[index] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
  return { bytes, what: `write ${value} in ${width} bytes at ${at}` };
};

/** Numbers at which sizes, counts and addresses go wrong. */
function telling(random: () => number, size: number): bigint {
  const values = [
    0n,
    1n,
    2n,
    0x7fn,
    0xffn,
    0x7fffn,
    0xffffn,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    0xffff_fffen,
    0x7fff_ffff_ffff_ffffn,
    0xffff_ffff_ffff_ffffn,
    BigInt(size),
    BigInt(Math.max(0, size - 1)),
    BigInt(below(random, size + 1)),
    BigInt(below(random, 64)),
    BigInt(below(random, 65_536)),
  ];
  return values[below(random, values.length)]!;
}

const copy: Change = (bytes, random, options) => {
  const count = Math.min(bytes.length, 1 + below(random, 256));
  const from = below(random, bytes.length - count + 1);
  const to = Math.min(bytes.length - count, place(bytes, random, options));
  bytes.copyWithin(to, from, from + count);
  return { bytes, what: `copy ${count} bytes from ${from} to ${to}` };
};

const zero: Change = (bytes, random, options) => {
  const at = place(bytes, random, options);
  const count = Math.min(bytes.length - at, 1 + below(random, 128));
  bytes.fill(0, at, at + count);
  return { bytes, what: `zero ${count} bytes at ${at}` };
};

const cut: Change = (bytes, random, options) => {
  const at = place(bytes, random, options);
  const count = Math.min(bytes.length - at, 1 + below(random, 64));
  const out = new Uint8Array(bytes.length - count);
  out.set(bytes.subarray(0, at));
  out.set(bytes.subarray(at + count), at);
  return { bytes: out, what: `cut ${count} bytes out at ${at}` };
};

const truncate: Change = (bytes, random) => {
  const size = below(random, bytes.length);
  return { bytes: bytes.slice(0, size), what: `truncate to ${size} bytes` };
};

const extend: Change = (bytes, random) => {
  const count = 1 + below(random, 4096);
  const out = new Uint8Array(bytes.length + count);
  out.set(bytes);
  if (random() < 0.5) for (let i = 0; i < count; i++) out[bytes.length + i] = below(random, 256);
  return { bytes: out, what: `extend by ${count} bytes` };
};

/** Overwritten numbers and flips find most. */
const changes: readonly Change[] = [
  overwrite,
  overwrite,
  overwrite,
  overwrite,
  flip,
  flip,
  replace,
  copy,
  zero,
  cut,
  truncate,
  extend,
];

/** Where any of the signatures stands. */
export function marksOf(bytes: Uint8Array, signatures: readonly string[]): number[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const marks: number[] = [];
  for (const signature of signatures) {
    for (let at = buffer.indexOf(signature); at >= 0; at = buffer.indexOf(signature, at + 1)) marks.push(at);
  }
  return marks.sort((a, b) => a - b);
}
