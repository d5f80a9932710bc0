import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";

const passingCodes = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Internal]);

/** Whether the control plane may answer the same call later: it restarts, or its database does. */
export function mayPass(error: unknown): boolean {
  return error instanceof ConnectError && passingCodes.has(error.code);
}

/** Repeat `call`, at growing distances, until it succeeds or fails for good, `patienceMs` have passed, or `signal` aborts. */
export async function patiently<T>(
  call: () => Promise<T>,
  patienceMs: number,
  signal: AbortSignal,
): Promise<T> {
  const last = Date.now() + patienceMs;
  for (let wait = 100; ; wait = Math.min(wait * 2, 2_000)) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass(error) || Date.now() + wait > last) throw error;
      await sleep(wait, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
    }
  }
}
