/**
 * Begin work on items as they come and hand out the results in their order, with at most `limit` items between beginning and being done
 * with: the next one begins while the consumer still deals with the one before. A failure comes at its place in the order.
 */
export async function* inOrder<T, R>(
  source: AsyncIterator<T>,
  limit: number,
  beginItem: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const begun: Promise<R>[] = [];
  let inFlight = 0;
  let ended = false;
  let wake = () => {};
  const change = () => new Promise<void>((resolve) => (wake = resolve));
  let room = () => {};
  const reading = (async () => {
    while (!ended) {
      if (inFlight >= limit) {
        await new Promise<void>((resolve) => (room = resolve));
        continue;
      }
      const step = await source.next();
      if (step.done || ended) break;
      inFlight += 1;
      const result = beginItem(step.value);
      // Whoever waits at its place sees the failure; until then it is nobody's.
      result.catch(() => undefined);
      begun.push(result);
      wake();
    }
  })()
    .catch((error: unknown) => {
      const failed = Promise.reject(error);
      failed.catch(() => undefined);
      begun.push(failed);
    })
    .finally(() => {
      ended = true;
      wake();
    });
  try {
    for (;;) {
      const next = begun.shift();
      if (next !== undefined) {
        yield await next;
        inFlight -= 1;
        room();
      } else if (ended) {
        return await reading;
      } else await change();
    }
  } finally {
    ended = true;
    room();
  }
}
