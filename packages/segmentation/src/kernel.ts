import { readFileSync } from "node:fs";

/** What is used of WebAssembly; its types come only with those of a browser. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
const modules = new Map<string, object>();

/** A fresh instance, with its own memory, of a kernel in `assembly/`; compiled once per thread. */
export function instantiate<T>(
  name: string,
  env: Readonly<Record<string, (...values: number[]) => number>>,
): T & { readonly memory: WasmMemory } {
  let module = modules.get(name);
  if (module === undefined) {
    module = new wasm.Module(readFileSync(new URL(`./gen/${name}.wasm`, import.meta.url)));
    modules.set(name, module);
  }
  return new wasm.Instance(module, { env }).exports as T & { readonly memory: WasmMemory };
}

/** Places for arrays behind each other in the memory of an instance, which has to be grown to `end()` before they are used. */
export function arena(start: number): { take(bytes: number): number; end(): number } {
  let at = start;
  return {
    take(bytes) {
      const place = Math.ceil(at / 16) * 16;
      at = place + bytes;
      return place;
    },
    end: () => at,
  };
}

/** Grows a memory to at least so many bytes. */
export function grow(memory: WasmMemory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / 65_536);
  if (missing > 0) memory.grow(missing);
}
