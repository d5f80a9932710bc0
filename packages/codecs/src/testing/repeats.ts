import fc from "fast-check";

/** Bytes with runs and repeats, as chunks have them. */
export const chunkBytes = fc
  .tuple(
    fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 12,
    }),
    fc.nat(3),
  )
  .map(([runs, more]) => {
    const bytes = runs.flatMap(([pattern, count]) =>
      Array.from({ length: count }, () => [...pattern]).flat(),
    );
    return Uint8Array.from([...bytes, ...bytes.slice(0, more)]);
  });
