import { readFileSync } from "node:fs";

/** What is used of WebAssembly; its types come only with those of a browser. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
interface Wasm {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: object };
}

/** Compiled once: instances share the code, and what V8 has optimised of it. */
const modules = new Map<string, object>();

/** An instance of `src/gen/<name>.wasm`, with a memory of its own. */
export function instantiate<T>(name: string): T {
  const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  let module = modules.get(name);
  if (module === undefined) {
    module = new wasm.Module(readFileSync(new URL(`../gen/${name}.wasm`, import.meta.url)));
    modules.set(name, module);
  }
  const abort = () => {
    throw new Error(`kernel ${name} aborted`);
  };
  return new wasm.Instance(module, { env: { abort } }).exports as T;
}

/** Memory beyond which kernels are given up rather than kept: a big field must not weigh on the process for ever. */
const KEEP_BYTES = 128 * 1024 * 1024;
const KEEP_INSTANCES = 4;

/** Instances whose memory is one caller's at a time, and is used again: the system takes long to find new memory. */
export function kernelPool<T extends { readonly memory: WasmMemory }>(name: string) {
  const idle: T[] = [];
  return {
    take: (): T => idle.pop() ?? instantiate<T>(name),
    giveBack(kernels: T): void {
      if (kernels.memory.buffer.byteLength <= KEEP_BYTES && idle.length < KEEP_INSTANCES) idle.push(kernels);
    },
  };
}

/** Makes the memory reach to `end`. Views of it taken before are void afterwards. */
export function reach(memory: WasmMemory, end: number): void {
  const missing = end - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65_536));
}

/** What the greediest kernels, inflate and the rows of resizing, may touch behind a buffer. */
const SLACK = 1_024;

/** Slack that kernels may read and write behind a buffer, and alignment of the next one. */
export function padded(bytes: number): number {
  return Math.ceil((bytes + SLACK) / 16) * 16;
}
