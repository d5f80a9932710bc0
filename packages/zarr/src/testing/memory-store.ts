import type { AsyncStore, ByteRange, SyncStore } from "../types.ts";

/** Objects in memory, as both kinds of store; remembers what was asked for. */
export interface MemoryStore {
  objects: Map<string, Uint8Array>;
  asked: { key: string; range?: ByteRange }[];
  sync: SyncStore;
  remote: AsyncStore;
}

export function memoryStore(objects: Map<string, Uint8Array> = new Map()): MemoryStore {
  const asked: MemoryStore["asked"] = [];
  const get = (key: string, range?: ByteRange): Uint8Array | undefined => {
    asked.push(range === undefined ? { key } : { key, range });
    const bytes = objects.get(key);
    if (bytes === undefined || range === undefined) return bytes;
    return "suffix" in range ? bytes.slice(-range.suffix) : bytes.slice(range.start, range.end);
  };
  const list = (prefix: string): string[] => {
    const names = [...objects.keys()].filter((key) => key.startsWith(prefix));
    return [...new Set(names.map((key) => key.slice(prefix.length).split("/")[0]!))];
  };
  return {
    objects,
    asked,
    sync: { get, list, close: () => {} },
    remote: { get: async (key, range) => get(key, range), list: async (prefix) => list(prefix) },
  };
}

export function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
