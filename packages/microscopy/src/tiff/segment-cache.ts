/** Decoded segments, the least recently used dropped first. Keys name page and segment. */
export interface SegmentCache {
  get(key: string): Uint8Array<ArrayBuffer> | undefined;
  /** Keeps a copy. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): void;
}

export function createSegmentCache(maxBytes: number): SegmentCache {
  const held = new Map<string, Uint8Array<ArrayBuffer>>();
  let bytesHeld = 0;
  return {
    get(key) {
      const bytes = held.get(key);
      if (bytes === undefined) return undefined;
      held.delete(key);
      held.set(key, bytes);
      return bytes;
    },
    put(key, bytes) {
      // One segment must not push out all others.
      if (bytes.length > maxBytes / 2 || held.has(key)) return;
      held.set(key, bytes.slice());
      bytesHeld += bytes.length;
      for (const [oldest, old] of held) {
        if (bytesHeld <= maxBytes) break;
        held.delete(oldest);
        bytesHeld -= old.length;
      }
    },
  };
}
