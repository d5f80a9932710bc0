/** Decoded chunks that were used in part, up to a number of bytes; the oldest go first. */
export interface ChunkCache {
  get(owner: object, number: number): Uint8Array | undefined;
  set(owner: object, number: number, chunk: Uint8Array): void;
  clear(): void;
}

export function createChunkCache(maxBytes: number): ChunkCache {
  const chunks = new Map<object, Map<number, Uint8Array>>();
  const order: { owner: object; number: number }[] = [];
  let held = 0;
  return {
    get: (owner, number) => chunks.get(owner)?.get(number),
    set(owner, number, chunk) {
      if (chunk.length > maxBytes) return;
      let own = chunks.get(owner);
      if (own === undefined) {
        own = new Map();
        chunks.set(owner, own);
      }
      own.set(number, chunk);
      order.push({ owner, number });
      held += chunk.length;
      while (held > maxBytes) {
        const oldest = order.shift()!;
        const of = chunks.get(oldest.owner);
        held -= of?.get(oldest.number)?.length ?? 0;
        of?.delete(oldest.number);
        if (of?.size === 0) chunks.delete(oldest.owner);
      }
    },
    clear() {
      chunks.clear();
      order.length = 0;
      held = 0;
    },
  };
}
