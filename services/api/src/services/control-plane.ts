import { createCatalogStore } from "../data-manager/catalog.ts";
import { createChangeFeed } from "../data-manager/job-changes.ts";
import { createJobStore } from "../data-manager/jobs.ts";
import { createOutbox } from "../data-manager/outbox.ts";
import type { Database } from "../data-manager/postgres/database.ts";
import type { WorkPublisher } from "../schemas/publisher.ts";
import { type Clock, type Logger, type RandomBytes, systemClock, systemRandom } from "../schemas/runtime.ts";
import { type Catalog, createCatalog } from "./catalog/catalog.ts";
import type { CatalogLayout } from "./catalog/context.ts";
import { createDispatcher, type Dispatcher } from "./dispatcher.ts";
import { createJobs, type Jobs } from "./jobs/jobs.ts";
import { defaultJobSettings, type JobContext, type JobSettings } from "./jobs/settings.ts";
import { createReconciler, type Reconciler } from "./reconciler.ts";

export interface ControlPlaneDeps {
  readonly database: Database;
  readonly publisher: WorkPublisher;
  readonly layout: CatalogLayout;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
  readonly jobSettings?: Partial<JobSettings>;
  /** The bus keeps its messages in memory only. */
  readonly volatileBus?: boolean;
  readonly reconcileIntervalMs?: number;
  readonly lostMessageAfterMs?: number;
}

/** Jobs and catalog over one database, with the loops that keep them moving. */
export interface ControlPlane {
  readonly jobs: Jobs;
  readonly catalog: Catalog;
  readonly dispatcher: Dispatcher;
  readonly reconciler: Reconciler;
  /** Starts the dispatcher and the reconciler. */
  start(): void;
  /** Ends every watch, now and from now on, as `unavailable`: watchers go on at another replica instead of holding up the stop. */
  endWatches(): void;
  /** Stops both after what they are at. The database stays open. */
  stop(): Promise<void>;
}

export function createControlPlane(deps: ControlPlaneDeps): ControlPlane {
  const { database, publisher, layout, logger, clock = systemClock, random = systemRandom } = deps;
  const settings = { ...defaultJobSettings, ...deps.jobSettings };
  const store = createJobStore(database.kysely, clock);
  const context: JobContext = { store, clock, random, settings };
  const changes = createChangeFeed(database.notifications);
  const closing = new AbortController();
  const dispatcher = createDispatcher({
    outbox: createOutbox(database.kysely),
    notifications: database.notifications,
    ...{ publisher, logger, clock },
  });
  const reconciler = createReconciler({
    ...{ context, logger, volatileBus: deps.volatileBus ?? false },
    ...(deps.reconcileIntervalMs === undefined ? {} : { intervalMs: deps.reconcileIntervalMs }),
    ...(deps.lostMessageAfterMs === undefined ? {} : { lostAfterMs: deps.lostMessageAfterMs }),
  });
  return {
    jobs: createJobs({ store, changes, clock, random, settings, closing: closing.signal }),
    catalog: createCatalog({ store: createCatalogStore(database.kysely, clock), layout, clock }),
    dispatcher,
    reconciler,
    start() {
      reconciler.start();
      dispatcher.start();
    },
    endWatches: () => closing.abort(),
    async stop() {
      closing.abort();
      await Promise.all([dispatcher.stop(), reconciler.stop()]);
    },
  };
}
