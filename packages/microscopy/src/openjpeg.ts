import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { WasmMemory } from "./kernels/instantiate.ts";

/** What is used of @cornerstonejs/codec-openjpeg, which has no types. */
interface Decoder {
  /** Room for the encoded bytes in the memory of the decoder; void after the next call. */
  getEncodedBuffer(bytes: number): Uint8Array;
  decode(): void;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  /** A copy. */
  getDecodedBuffer(): Uint8ClampedArray<ArrayBuffer>;
  delete(): void;
}
interface OpenJpeg {
  readonly J2KDecoder: new () => Decoder;
}
interface ModuleOptions {
  print(line: string): void;
  printErr(line: string): void;
  instantiateWasm(imports: object, receive: (instance: object) => void): object;
}
interface Instance {
  readonly openjpeg: OpenJpeg;
  readonly memory: WasmMemory;
  /** The memory never grows beyond, in bytes. */
  limit: number;
  /** What OpenJPEG said during the last call. */
  readonly said: string[];
}
interface Wasm {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
  Memory: new (descriptor: { initial: number }) => WasmMemory;
}

const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
const MiB = 1024 * 1024;
/** Memory that an instance begins with and keeps: it cannot be given back. */
const KEPT_BYTES = 256 * MiB;
const MOST_SAID = 16;

export interface Decoded {
  /** 8 bits for depths up to 8, else 16, little-endian; samples side by side. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly bits: number;
}

/** OpenJPEG could not decode; the message is its own. */
export class OpenJpegError extends Error {}

let compiled: object | undefined;
let current: Promise<Instance> | undefined;

/**
 * A JP2 file of one or three unsigned components of up to 16 bits → its pixels, by OpenJPEG as WebAssembly in this thread. `parts` lie one
 * behind the other. Its memory is held to what `samples` (width × height × components) can need, whatever the bytes declare. After
 * anything odd the instance is thrown away: the next call makes a new one, in some 10 ms.
 *
 * @throws OpenJpegError
 */
export async function decodeJp2(parts: readonly Uint8Array[], samples: number): Promise<Decoded> {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  while (true) {
    current ??= createInstance();
    const used = current;
    try {
      const instance = await used;
      // Another call met something odd in the meantime.
      if (current !== used) continue;
      // Nothing is awaited from here on: other calls may use the same instance in between.
      // Per sample: 32 bits as decoded, as mapped and as converted, with slack for growth in steps of a fifth.
      instance.limit = Math.min(2 ** 31, 96 * MiB + 32 * samples + 8 * bytes);
      const decoded = run(instance, parts, bytes);
      if (instance.memory.buffer.byteLength > KEPT_BYTES) current = undefined;
      return decoded;
    } catch (error) {
      if (current === used) current = undefined;
      throw error;
    }
  }
}

function run({ openjpeg, said }: Instance, parts: readonly Uint8Array[], bytes: number): Decoded {
  said.length = 0;
  const complaint = () =>
    said.find((line) => line.startsWith("[ERROR]"))?.slice(8) ?? "the data could not be decoded";
  try {
    const decoder = new openjpeg.J2KDecoder();
    const room = decoder.getEncodedBuffer(bytes);
    let at = 0;
    for (const part of parts) {
      room.set(part, at);
      at += part.length;
    }
    decoder.decode();
    const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
    const pixels = decoder.getDecodedBuffer();
    decoder.delete();
    if (pixels.length === 0 || said.some((line) => line.startsWith("[ERROR]")))
      throw new OpenJpegError(complaint());
    return {
      data: new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length),
      width,
      height,
      components: componentCount,
      bits: bitsPerSample,
    };
  } catch (error) {
    if (error instanceof OpenJpegError) throw error;
    // A trap, an abort, or a C++ exception, which arrives as its address.
    throw new OpenJpegError(complaint(), { cause: error });
  }
}

async function createInstance(): Promise<Instance> {
  const require = createRequire(import.meta.url);
  const factory = require("@cornerstonejs/codec-openjpeg/decodewasmjs") as (
    options: ModuleOptions,
  ) => Promise<OpenJpeg>;
  compiled ??= new wasm.Module(readFileSync(require.resolve("@cornerstonejs/codec-openjpeg/decodewasm")));
  const module = compiled;
  const said: string[] = [];
  const say = (line: string) => {
    if (said.length < MOST_SAID && !line.startsWith("[INFO]")) said.push(line);
  };
  let memory: WasmMemory | undefined;
  let made: Instance | undefined;
  const openjpeg = await factory({
    print: say,
    printErr: say,
    instantiateWasm(imports, receive) {
      const instance = new wasm.Instance(module, imports);
      memory = Object.values(instance.exports).find((one) => one instanceof wasm.Memory) as WasmMemory;
      const found = memory;
      // Its allocator asks this object for more memory; a refusal is to it as if there were none.
      found.grow = (pages) => {
        if (found.buffer.byteLength + pages * 65_536 > (made?.limit ?? 0)) throw new RangeError("no memory");
        return wasm.Memory.prototype.grow.call(found, pages) as number;
      };
      receive(instance);
      return instance.exports;
    },
  });
  made = { openjpeg, memory: memory!, limit: 0, said };
  return made;
}
