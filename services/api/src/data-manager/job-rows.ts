import { fromJson, toJson } from "@bufbuild/protobuf";
import { JobResultSchema, JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { Selectable, Updateable } from "kysely";
import type { Failure, ItemRecord, ItemStateName, JobRecord, JobStateName } from "../schemas/jobs.ts";
import type { JobPatch } from "./job-store.ts";
import type { JobItemsTable, JobsTable } from "./postgres/tables.ts";
import { storableJson, storableText } from "./text.ts";

const MESSAGE_CHARACTERS = 16_384;
const REASON_CHARACTERS = 128;
const LINE_CHARACTERS = 1_024;

interface ErrorColumns {
  error_reason: string | null;
  error_message: string | null;
  error_retryable: boolean | null;
}

function toFailure(row: ErrorColumns): Failure | undefined {
  if (row.error_reason === null) return undefined;
  return {
    reason: row.error_reason,
    message: row.error_message ?? "",
    retryable: row.error_retryable ?? false,
  };
}

export function errorColumns(error: Failure | undefined): ErrorColumns {
  if (error === undefined) return { error_reason: null, error_message: null, error_retryable: null };
  return {
    error_reason: storableText(error.reason, REASON_CHARACTERS),
    error_message: storableText(error.message, MESSAGE_CHARACTERS),
    error_retryable: error.retryable,
  };
}

export function toJobRecord(row: Selectable<JobsTable>): JobRecord {
  return {
    id: row.id,
    kind: row.kind,
    service: row.service,
    state: row.state as JobStateName,
    // A field that a newer replica wrote is not this one's business.
    spec: fromJson(JobSpecSchema, row.spec, { ignoreUnknownFields: true }),
    result:
      row.result === null ? undefined : fromJson(JobResultSchema, row.result, { ignoreUnknownFields: true }),
    progress: {
      done: row.progress_done,
      total: row.progress_total,
      unit: row.progress_unit,
      message: row.progress_message,
      itemsSucceeded: row.items_succeeded,
      itemsFailed: row.items_failed,
      itemsTotal: row.items_total,
    },
    error: toFailure(row),
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    nextAttemptAt: row.next_attempt_at ?? undefined,
    idempotencyKey: row.idempotency_key ?? undefined,
    after: row.after_ids,
    cancelRequested: row.cancel_requested,
    revision: row.revision,
    worker: row.worker,
    lease: row.lease ?? undefined,
    leaseExpiresAt: row.lease_expires_at ?? undefined,
    endedLease: row.ended_lease ?? undefined,
  };
}

export const specColumn = (spec: JobRecord["spec"]): string => JSON.stringify(toJson(JobSpecSchema, spec));

const COLUMNS = {
  state: "state",
  attempt: "attempt",
  startedAt: "started_at",
  finishedAt: "finished_at",
  nextAttemptAt: "next_attempt_at",
  cancelRequested: "cancel_requested",
  lease: "lease",
  leaseExpiresAt: "lease_expires_at",
  endedLease: "ended_lease",
} as const;

/** The columns that a patch writes. */
export function patchColumns(patch: JobPatch): Updateable<JobsTable> {
  const columns: Record<string, unknown> = {};
  for (const [field, column] of Object.entries(COLUMNS) as [keyof typeof COLUMNS, string][]) {
    if (field in patch) columns[column] = patch[field] ?? null;
  }
  if (patch.worker !== undefined) columns.worker = storableText(patch.worker, LINE_CHARACTERS);
  if ("error" in patch) Object.assign(columns, errorColumns(patch.error));
  if ("result" in patch) {
    columns.result =
      patch.result === undefined ? null : JSON.stringify(storableJson(toJson(JobResultSchema, patch.result)));
  }
  if (patch.progress !== undefined) {
    const { done, total, unit, message, itemsSucceeded, itemsFailed, itemsTotal } = patch.progress;
    Object.assign(columns, {
      progress_done: done,
      progress_total: total,
      progress_unit: storableText(unit, LINE_CHARACTERS),
      progress_message: storableText(message, LINE_CHARACTERS),
      items_succeeded: itemsSucceeded,
      items_failed: itemsFailed,
      items_total: itemsTotal,
    });
  }
  return columns as Updateable<JobsTable>;
}

export function toItemRecord(row: Selectable<JobItemsTable>): ItemRecord {
  return {
    key: row.key,
    state: row.state as ItemStateName,
    error: toFailure(row),
    checkpoint: new Uint8Array(row.checkpoint),
    updatedAt: row.updated_at,
  };
}
