import { Hdf5Error } from "../errors.ts";

/** Widths of addresses and lengths, as the superblock says. */
export interface Widths {
  address: number;
  length: number;
}

/** Reads little-endian fields one after another and never beyond its bytes. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly what: string;
  readonly widths: Widths;
  readonly #view: DataView;
  at = 0;

  constructor(bytes: Uint8Array, widths: Widths, what: string) {
    this.bytes = bytes;
    this.widths = widths;
    this.what = what;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Another cursor with the same widths and name. */
  over(bytes: Uint8Array): Cursor {
    return new Cursor(bytes, this.widths, this.what);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  #take(count: number): number {
    const at = this.at;
    if (!(count >= 0 && count <= this.bytes.length - at)) {
      throw new Hdf5Error(
        "corrupt",
        `${this.what}: ${count} bytes expected at byte ${at}, it has ${this.bytes.length}`,
      );
    }
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** An unsigned number of 1 to 8 bytes; one beyond 2^53 is refused, because no file is that large. */
  uint(width: number): number {
    const at = this.#take(width);
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + this.bytes[at + i]!;
    if (!Number.isSafeInteger(value)) {
      throw new Hdf5Error("corrupt", `${this.what}: the number at byte ${at} is beyond 2^53`);
    }
    return value;
  }

  length(): number {
    return this.uint(this.widths.length);
  }

  /** A length of at most `limit`; undefined when it is larger. */
  lengthUpTo(limit: number): number | undefined {
    const at = this.#take(this.widths.length);
    let value = 0;
    for (let i = this.widths.length - 1; i >= 0; i--) value = value * 256 + this.bytes[at + i]!;
    return value <= limit ? value : undefined;
  }

  /** A length, or undefined where all bits are set ("unlimited", "none"). */
  optionalLength(): number | undefined {
    return this.#optional(this.widths.length);
  }

  /** An address relative to the base address; undefined where all bits are set. */
  address(): number | undefined {
    return this.#optional(this.widths.address);
  }

  #optional(width: number): number | undefined {
    const at = this.at;
    let all = 0xff;
    for (let i = 0; i < width; i++) all &= this.bytes[at + i] ?? 0;
    if (all !== 0xff) return this.uint(width);
    this.#take(width);
    return undefined;
  }

  /** A view, not a copy. */
  take(count: number): Uint8Array {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** Bytes up to a NUL, which is taken too. */
  untilNul(): Uint8Array {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new Hdf5Error("corrupt", `${this.what}: the text at byte ${this.at} has no end`);
    const bytes = this.bytes.subarray(this.at, end);
    this.at = end + 1;
    return bytes;
  }

  /** Moves on to the next multiple of `unit` bytes after `from`. */
  align(unit: number, from: number): void {
    this.skip((unit - ((this.at - from) % unit)) % unit);
  }

  expect(signature: string): void {
    const found = Buffer.from(this.take(4)).toString("latin1");
    if (found !== signature) {
      throw new Hdf5Error("corrupt", `${this.what}: expected "${signature}", found ${JSON.stringify(found)}`);
    }
  }

  expectVersion(...known: readonly number[]): number {
    const version = this.u8();
    if (!known.includes(version)) {
      throw new Hdf5Error("corrupt", `${this.what}: version ${version}, expected ${known.join(" or ")}`);
    }
    return version;
  }
}

/** Text of names; names that are not UTF-8 are kept apart by their bytes. */
export function nameText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  return text.includes("\ufffd") ? buffer.toString("latin1") : text;
}

/** Bytes that hold every number up to `limit`. */
export function bytesToHold(limit: number): number {
  return limit < 1 ? 1 : Math.floor(Math.log2(limit) / 8) + 1;
}
