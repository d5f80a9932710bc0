/**
 * Parts that are made one after another, the next one while the caller looks at the one before. Who stops early stops the one under way, and
 * goes on once it has ended: nothing still writes to memory that it was given.
 *
 * @param begin makes part `i`; its signal is that of the caller, or says that nobody wants the part any more
 */
export async function* oneAhead<T>(
  count: number,
  signal: AbortSignal | undefined,
  begin: (i: number, signal: AbortSignal) => Promise<T>,
): AsyncGenerator<T, void, undefined> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const start = (i: number) => {
    const part = begin(i, either);
    // Nobody waits for it yet; who does gets the error.
    part.catch(() => undefined);
    return part;
  };
  let ahead = count > 0 ? start(0) : undefined;
  try {
    for (let i = 1; ahead !== undefined; i++) {
      const part: T = await ahead;
      ahead = i < count ? start(i) : undefined;
      yield part;
    }
  } finally {
    stop.abort();
    await ahead?.catch(() => undefined);
  }
}
