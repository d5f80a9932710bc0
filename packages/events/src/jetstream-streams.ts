import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { DEAD_AGE_MS, DEAD_BYTES, FACTS_AGE_MS, FACTS_BYTES, JOBS_BYTES } from "./defaults.ts";
import { EventsError } from "./errors.ts";

const STREAM_NOT_FOUND = 10059;
const STREAM_NAME_IN_USE = 10058;

export interface StreamNames {
  readonly jobs: string;
  readonly facts: string;
  readonly dead: string;
  /** Put before every subject on the wire: "" or "<prefix>.". */
  readonly subjectPrefix: string;
}

export function streamNames(prefix: string | undefined): StreamNames {
  const lead = prefix ? `${prefix}_` : "";
  return {
    jobs: `${lead}JOBS`,
    facts: `${lead}FACTS`,
    dead: `${lead}DEAD`,
    subjectPrefix: prefix ? `${prefix}.` : "",
  };
}

export interface StreamSettings {
  readonly names: StreamNames;
  readonly dedupeWindowMs: number;
  /** Undefined: one for a stream that is created, and whatever it has for one that exists. */
  readonly replicas: number | undefined;
  readonly limits: StreamLimits;
}

/** Sizes a stream is created with; the server sets this much of its storage aside. An existing stream keeps its own. */
export interface StreamLimits {
  /** Default 256 MiB. */
  readonly jobsBytes?: number;
  /** Default 128 MiB. */
  readonly factsBytes?: number;
  /** Default 128 MiB. */
  readonly deadBytes?: number;
}

type Wanted = Pick<
  StreamConfig,
  | "name"
  | "subjects"
  | "retention"
  | "storage"
  | "discard"
  | "max_bytes"
  | "max_age"
  | "duplicate_window"
  | "num_replicas"
>;

function wantedStreams({ names, dedupeWindowMs, replicas = 1, limits }: StreamSettings): Wanted[] {
  const common = {
    storage: StorageType.File,
    duplicate_window: nanos(dedupeWindowMs),
    num_replicas: replicas,
  };
  const stream = (name: string, root: string): Pick<Wanted, "name" | "subjects"> => ({
    name,
    subjects: [`${names.subjectPrefix}${root}.>`],
  });
  return [
    {
      ...common,
      ...stream(names.jobs, "jobs"),
      retention: RetentionPolicy.Workqueue,
      // Full means refuse: accepted work is never dropped to make room.
      discard: DiscardPolicy.New,
      max_bytes: limits.jobsBytes ?? JOBS_BYTES,
      max_age: 0,
    },
    {
      ...common,
      ...stream(names.facts, "events"),
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_bytes: limits.factsBytes ?? FACTS_BYTES,
      max_age: nanos(FACTS_AGE_MS),
    },
    {
      ...common,
      ...stream(names.dead, "dead"),
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_bytes: limits.deadBytes ?? DEAD_BYTES,
      max_age: nanos(DEAD_AGE_MS),
    },
  ];
}

export const isApiError = (error: unknown, code: number): boolean =>
  error instanceof JetStreamApiError && error.code === code;

async function infoOrUndefined(jsm: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(name);
  } catch (error) {
    if (isApiError(error, STREAM_NOT_FOUND)) return undefined;
    throw error;
  }
}

async function create(jsm: JetStreamManager, wanted: Wanted): Promise<StreamInfo> {
  try {
    return await jsm.streams.add(wanted);
  } catch (error) {
    // Another service of the mesh was quicker, with settings of its own.
    if (isApiError(error, STREAM_NAME_IN_USE)) return await jsm.streams.info(wanted.name);
    if (!(error instanceof JetStreamApiError)) throw error;
    const recover = "use another stream prefix, smaller limits, or make room on the server";
    throw new EventsError(
      "settings_refused",
      `NATS refused the stream ${wanted.name}: ${error.message}; ${recover}`,
      {
        cause: error,
      },
    );
  }
}

/** What this stream lacks and can be given without losing anything. Sizes and ages are the operator's, once it exists. */
function repairs(found: StreamConfig, wanted: Wanted, replicas: number | undefined): Partial<Wanted> {
  return {
    ...(found.duplicate_window < wanted.duplicate_window && { duplicate_window: wanted.duplicate_window }),
    ...(replicas !== undefined && found.num_replicas !== replicas && { num_replicas: replicas }),
  };
}

/** Servers ignore settings they do not know: only what is read back counts. */
function assertKept(found: StreamConfig, wanted: Wanted, replicas: number | undefined): void {
  const wrong: string[] = [];
  const expect = (field: keyof Wanted, ok: boolean): void => {
    if (!ok)
      wrong.push(
        `${field}: expected ${JSON.stringify(wanted[field])}, found ${JSON.stringify(found[field])}`,
      );
  };
  for (const field of ["retention", "storage", "discard"] as const)
    expect(field, found[field] === wanted[field]);
  expect("subjects", found.subjects.length === 1 && found.subjects[0] === wanted.subjects[0]);
  expect("duplicate_window", found.duplicate_window >= wanted.duplicate_window);
  if (replicas !== undefined) expect("num_replicas", found.num_replicas === replicas);
  // Unbounded is only a danger where nothing is ever taken out.
  if (wanted.discard === DiscardPolicy.Old) expect("max_bytes", found.max_bytes > 0);
  if (wrong.length === 0) return;
  const recover = "change the stream with the nats tool, or use another stream prefix";
  throw new EventsError(
    "settings_refused",
    `stream ${wanted.name} cannot be used (${wrong.join("; ")}); ${recover}`,
  );
}

/** Creates what is missing, repairs what can be repaired, and checks all three streams as the server says they are. */
export async function ensureStreams(jsm: JetStreamManager, settings: StreamSettings): Promise<void> {
  for (const wanted of wantedStreams(settings)) {
    const found = (await infoOrUndefined(jsm, wanted.name)) ?? (await create(jsm, wanted));
    const patch = repairs(found.config, wanted, settings.replicas);
    const repaired = Object.keys(patch).length > 0;
    if (repaired) await jsm.streams.update(wanted.name, { ...found.config, ...patch });
    const { config } = repaired ? await jsm.streams.info(wanted.name) : found;
    assertKept(config, wanted, settings.replicas);
  }
}
