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
  readonly #buffer = Buffer.alloc(bufferBytes);
  /** Bytes of the buffer that wait; they end at #end. */
  #waiting = 0;
  #end = superblockBytes;
  /** The heap collection that short strings are added to, see string-heap.ts. */
  openCollection: { address: number; used: number; objects: number } | undefined;
  /** Called before something gets its place, so that what was given away to be made ready gets its own first. */
  settle: () => void = () => {};

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
    this.settle();
    return this.#end;
  }

  /** @returns the address at which `bytes` will stand */
  append(bytes: Uint8Array): number {
    this.settle();
    return this.place(bytes);
  }

  /** As `append`, for who knows that nothing is to be settled. The bytes are taken before it returns. */
  place(bytes: Uint8Array): number {
    const address = this.#end;
    const padded = bytes.length + (-bytes.length & 7);
    if (this.#waiting + padded > bufferBytes) this.#flush();
    if (padded > bufferBytes) {
      this.#write(bytes, address);
      if (padded > bytes.length) this.#write(Buffer.alloc(padded - bytes.length), address + bytes.length);
    } else {
      this.#buffer.set(bytes, this.#waiting);
      this.#buffer.fill(0, this.#waiting + bytes.length, this.#waiting + padded);
      this.#waiting += padded;
    }
    this.#end += padded;
    return address;
  }

  /** Replaces what has its place already. */
  overwrite(address: number, bytes: Uint8Array): void {
    const waitingFrom = this.#end - this.#waiting;
    if (address >= waitingFrom) this.#buffer.set(bytes, address - waitingFrom);
    else {
      // Part of it may still wait.
      this.#flush();
      this.#write(bytes, address);
    }
  }

  #flush(): void {
    this.#write(this.#buffer.subarray(0, this.#waiting), this.#end - this.#waiting);
    this.#waiting = 0;
  }

  #write(bytes: Uint8Array, position: number): void {
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
    this.settle();
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
