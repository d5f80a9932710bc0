import { readFileSync } from "node:fs";

const modules = new Map<string, WebAssembly.Module>();

/** A fresh instance, with its own memory, of a kernel in `assembly/`; compiled once per thread. */
export function instantiate<T>(name: string, env: WebAssembly.ModuleImports): T & { memory: WebAssembly.Memory } {
  let module = modules.get(name);
  if (module === undefined) {
    module = new WebAssembly.Module(readFileSync(new URL(`./gen/${name}.wasm`, import.meta.url)));
    modules.set(name, module);
  }
  return new WebAssembly.Instance(module, { env }).exports as unknown as T & { memory: WebAssembly.Memory };
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
export function grow(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / 65_536);
  if (missing > 0) memory.grow(missing);
}
