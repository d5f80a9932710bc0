import type { JobTransaction } from "../data-manager/job-store.ts";
import type { JobRecord } from "../schemas/jobs.ts";
import type { Logger } from "../schemas/runtime.ts";
import type { JobContext } from "./jobs/settings.ts";
import { leaseExpired, loseWorker, settleChildren, settleWaiting } from "./jobs/transitions.ts";

const BATCH = 500;

export interface ReconcilerDeps {
  readonly context: JobContext;
  readonly logger: Logger;
  /** Time between looks. Default 5 000. */
  readonly intervalMs?: number;
  /** Age after which the message of a job that nobody started is taken for lost. Default 300 000. */
  readonly lostAfterMs?: number;
  /** The bus forgets its messages when it restarts: repeat all of them on start. */
  readonly volatileBus?: boolean;
}

/** How many jobs each rule touched. */
export interface Reconciled {
  readonly workersLost: number;
  readonly settled: number;
  readonly redispatched: number;
}

/** Mends what crashes leave: silent workers, lost messages, children nobody looked at. Safe to run in several replicas. */
export interface Reconciler {
  start(): void;
  stop(): Promise<void>;
  /** One look now. `leases: false` leaves silent workers alone. */
  reconcile(options?: { readonly lostAfterMs?: number; readonly leases?: boolean }): Promise<Reconciled>;
}

export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const { context, logger, intervalMs = 5_000, lostAfterMs = 300_000 } = deps;
  const { store } = context;

  /** Each job in a transaction of its own, so that one that cannot be mended does not hold up the rest. */
  const mend = async (ids: string[], repair: (tx: JobTransaction, job: JobRecord) => Promise<boolean>) => {
    let mended = 0;
    for (const id of ids) {
      try {
        const changed = await store.transaction(async (tx) => {
          const job = await tx.lockGraph(id);
          return job !== undefined && (await repair(tx, job));
        });
        if (changed) mended += 1;
      } catch (error) {
        logger.error({ err: error, jobId: id }, "a job could not be reconciled; trying again later");
      }
    }
    return mended;
  };

  const reconcile: Reconciler["reconcile"] = async (options = {}) => {
    const now = context.clock();
    const expired = options.leases === false ? [] : await store.expiredLeases(now, BATCH);
    const workersLost = await mend(expired, async (tx, job) => {
      if (!leaseExpired(job, context.clock())) return false;
      await loseWorker(tx, context, job);
      return true;
    });
    const settled = await mend(await store.settledWaiting(BATCH), async (tx, job) => {
      if (job.state !== "waiting") return false;
      const now = await settleWaiting(tx, context, job);
      if (now !== undefined) await settleChildren(tx, context, now);
      return now !== undefined;
    });
    const rule = { now, lostAfterMs: options.lostAfterMs ?? lostAfterMs };
    const redispatched = await mend(await store.lostDispatches(rule, BATCH), async (tx, job) => {
      const due =
        job.state === "queued" || (job.state === "retrying" && job.nextAttemptAt! <= context.clock());
      if (!due || (await tx.hasPendingDispatch(job.id))) return false;
      await tx.dispatch(job, context.clock());
      return true;
    });
    const done = { workersLost, settled, redispatched };
    if (workersLost + settled + redispatched > 0) logger.info(done, "reconciled jobs");
    return done;
  };

  let stopping = false;
  let wake = () => {};
  let running: Promise<void> | undefined;
  const loop = async () => {
    // No heartbeat could be heard while this process or the database was away: workers get a moment to be heard first. They beat at
    // least every third of a lease.
    const moment = context.settings.leaseDurationMs / 2;
    let heardSince = performance.now();
    for (let first = true; !stopping; first = false) {
      try {
        const leases = performance.now() - heardSince >= moment;
        await reconcile({ leases, ...(first && deps.volatileBus ? { lostAfterMs: 0 } : {}) });
      } catch (error) {
        heardSince = performance.now();
        logger.warn({ err: error }, "reconciling failed; trying again");
      }
      if (stopping) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, intervalMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };

  return {
    reconcile,
    start() {
      running ??= loop();
    },
    async stop() {
      stopping = true;
      wake();
      await running;
    },
  };
}
