import assert from "node:assert/strict";
import fc from "fast-check";

/** Bytes as chunks hold them: noise, runs, repeated patterns, and mixtures. */
export const contents = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.array(fc.tuple(fc.nat(3), fc.nat(700)), { maxLength: 12 }).map((runs) => {
    const parts = runs.map(([value, length]) => new Uint8Array(length).fill(value * 77));
    return new Uint8Array(Buffer.concat(parts));
  }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 400 }))
    .map(([pattern, times]) =>
      Uint8Array.from({ length: pattern.length * times }, (_, i) => pattern[i % pattern.length]!),
    ),
  fc.array(fc.nat(5), { maxLength: 2000 }).map((counts) => new Uint8Array(Float32Array.from(counts).buffer)),
);

export function equal(a: Uint8Array, b: Uint8Array, what: string): void {
  assert.ok(Buffer.compare(a, b) === 0, what);
}
