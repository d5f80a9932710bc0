/** Opened things by key; the one not used for longest is closed when room is needed. For use within one thread. */
export interface Lru<T> {
  get(key: string, limit: number, open: () => Promise<T>): Promise<T>;
}

/** Create one. A failed opening is forgotten. */
export function createLru<T>(close: (value: T) => Promise<void>): Lru<T> {
  const entries = new Map<string, Promise<T>>();
  return {
    async get(key, limit, open) {
      const found = entries.get(key);
      if (found !== undefined) {
        entries.delete(key);
        entries.set(key, found);
        return found;
      }
      // Make room first, so that the old and the new are never held together.
      while (entries.size >= limit) {
        const [oldest, value] = entries.entries().next().value as [string, Promise<T>];
        entries.delete(oldest);
        await value.then(close, () => undefined);
      }
      const opening = open();
      entries.set(key, opening);
      try {
        return await opening;
      } catch (error) {
        entries.delete(key);
        throw error;
      }
    },
  };
}
