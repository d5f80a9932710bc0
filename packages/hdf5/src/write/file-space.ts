import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { fromSystemError } from "../errors.ts";
import { ByteWriter, undefinedAddress } from "./byte-writer.ts";
import { lookup3 } from "./lookup3.ts";

const superblockBytes = 48;
/** Small pieces are joined before they are written. */
const bufferBytes = 1024 * 1024;

/** Space is only ever appended, on 8-byte boundaries; the superblock is written last. */
export class FileSpace {
  readonly #path: string;
  readonly #fd: number;
  #end = superblockBytes;
  #pending: Uint8Array[] = [];
  #pendingAt = superblockBytes;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, "w");
    } catch (error) {
      throw fromSystemError(error, path, "write");
    }
  }

  /** Where the next piece will stand. */
  get end(): number {
    return this.#end;
  }

  /** @returns the address at which `bytes` (copied by the caller if it changes later) will stand */
  append(bytes: Uint8Array): number {
    const address = this.#end;
    const padding = -bytes.length & 7;
    this.#pending.push(bytes);
    if (padding > 0) this.#pending.push(new Uint8Array(padding));
    this.#end += bytes.length + padding;
    if (this.#end - this.#pendingAt >= bufferBytes) this.#flush();
    return address;
  }

  #flush(): void {
    this.#write(Buffer.concat(this.#pending), this.#pendingAt);
    this.#pending = [];
    this.#pendingAt = this.#end;
  }

  #write(bytes: Buffer, position: number): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      throw fromSystemError(error, this.#path, "write");
    }
  }

  /** Superblock version 2. Source: HDF5 file format specification 3.0, II.A. */
  finish(rootAddress: number): void {
    this.#flush();
    const out = new ByteWriter(superblockBytes)
      .raw(Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]))
      .u8(2, 8, 8, 0)
      .u64(0)
      .u64(undefinedAddress)
      .u64(this.#end)
      .u64(rootAddress);
    this.#write(out.u32(lookup3(out.bytes())).bytes(), 0);
    fsyncSync(this.#fd);
    this.close();
  }

  close(): void {
    closeSync(this.#fd);
  }
}
