/** A read-only map whose values are made on first use and kept. */
export class LazyMap<T> implements ReadonlyMap<string, T> {
  readonly #keys: ReadonlySet<string>;
  readonly #make: (key: string) => T;
  readonly #made = new Map<string, T>();

  constructor(keys: Iterable<string>, make: (key: string) => T) {
    this.#keys = new Set(keys);
    this.#make = make;
  }

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  get(key: string): T | undefined {
    if (!this.#keys.has(key)) return undefined;
    const value = this.#made.get(key) ?? this.#make(key);
    this.#made.set(key, value);
    return value;
  }

  keys(): MapIterator<string> {
    return this.#keys.values() as MapIterator<string>;
  }

  *#each(): Generator<[string, T], undefined> {
    for (const key of this.#keys) yield [key, this.get(key)!];
  }

  entries(): MapIterator<[string, T]> {
    return this.#each();
  }

  values(): MapIterator<T> {
    return this.#each().map(([, value]) => value) as MapIterator<T>;
  }

  [Symbol.iterator](): MapIterator<[string, T]> {
    return this.#each();
  }

  forEach(visit: (value: T, key: string, map: ReadonlyMap<string, T>) => void): void {
    for (const [key, value] of this.#each()) visit(value, key, this);
  }
}
