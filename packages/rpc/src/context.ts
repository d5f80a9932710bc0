import { AsyncLocalStorage } from "node:async_hooks";

/** What a call knows about itself and passes on to the calls it makes. */
export interface CallContext {
  /** Id of the request at the edge; the same in every log line it causes. */
  readonly requestId: string;
  /** Point in time, in ms since the epoch, after which nobody waits for the answer. */
  readonly deadline: number | undefined;
  /** Aborts when the caller is gone or the deadline has passed. */
  readonly signal: AbortSignal | undefined;
}

const storage = new AsyncLocalStorage<CallContext | undefined>();

/** The call being served, if any. */
export function currentCall(): CallContext | undefined {
  return storage.getStore();
}

/** Run `fn` as part of a call: the clients it uses inherit request id, deadline and cancellation. */
export function runInCall<T>(context: CallContext, fn: () => T): T {
  return storage.run(context, fn);
}

/** Run `fn` outside any call, for work that must outlive the request that started it. */
export function runDetached<T>(fn: () => T): T {
  return storage.run(undefined, fn);
}

/** Iterate so that every step of the generator runs as part of the call. */
export async function* iterateInCall<T>(context: CallContext, iterable: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = runInCall(context, () => iterable[Symbol.asyncIterator]());
  let finished = false;
  try {
    for (;;) {
      const step = await runInCall(context, () => iterator.next());
      if (step.done) {
        finished = true;
        return;
      }
      yield step.value;
    }
  } finally {
    if (!finished) await runInCall(context, () => iterator.return?.());
  }
}
