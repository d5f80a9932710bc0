/** Grows as little-endian fields are appended. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = Buffer.alloc(capacity);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): number {
    const at = this.#length;
    if (at + count > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(at + count, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#length = at + count;
    return at;
  }

  u8(...values: number[]): this {
    for (const value of values) {
      const at = this.#reserve(1);
      this.#bytes[at] = value;
    }
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32LE(value >>> 0, at);
    return this;
  }

  u64(value: number | bigint): this {
    const at = this.#reserve(8);
    if (typeof value === "bigint") this.#bytes.writeBigUInt64LE(value, at);
    else {
      this.#bytes.writeUInt32LE(value >>> 0, at);
      this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
    }
    return this;
  }

  /** `width` low bytes of a non-negative number. */
  uint(value: number, width: number): this {
    for (let i = 0, rest = value; i < width; i++, rest = Math.floor(rest / 256)) this.u8(rest % 256);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  zeros(count: number): this {
    this.#reserve(count);
    return this;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Address of something that does not exist. */
export const undefinedAddress = 0xffff_ffff_ffff_ffffn;
