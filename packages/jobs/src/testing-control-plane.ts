import { create, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { JobDispatchedSchema } from "@cytomesh/contracts/events/v1/events";
import {
  type Job,
  type JobItem,
  JobProgressSchema,
  JobSchema,
  JobState,
} from "@cytomesh/contracts/jobs/v1/job";
import {
  type EndAttemptRequest,
  type HeartbeatRequest,
  JobWorkerService,
} from "@cytomesh/contracts/jobs/v1/job_worker_service";
import type { JobSpec } from "@cytomesh/contracts/jobs/v1/specs";
import type { EventBus } from "@cytomesh/events";
import {
  bindService,
  type Channel,
  createLogger,
  createMetrics,
  type HostedService,
  hostService,
  openChannel,
} from "@cytomesh/rpc";

/** A control plane for tests: one job's worth of rules, over a real gRPC server, with everything it was told. */
export interface FakeControlPlane {
  readonly channel: Channel;
  readonly heartbeats: HeartbeatRequest[];
  readonly ends: EndAttemptRequest[];
  /** Attempts refused because another has the lease, or the job has ended. */
  refusals: number;
  /** Ends that are stored but whose answer is an error. */
  answersToLose: number;
  /** Calls that record items and are answered with an error, stored or not. */
  recordsToLose: number;
  /** Refuse ends that carry a partial result. */
  refusePartial: boolean;
  /** Make a job and return its id. */
  add(spec: JobSpec["spec"], options?: { maxAttempts?: number }): string;
  job(id: string): Job;
  items(id: string): ReadonlyMap<string, JobItem>;
  /** Tell workers of a job, as the dispatcher does; `messageId` is a fresh one unless given. */
  dispatch(bus: EventBus, id: string, messageId?: string): Promise<void>;
  requestCancel(id: string): void;
  /** Give the lease to somebody else. */
  takeLease(id: string): void;
  /** Stop listening; the jobs stay. */
  goAway(): Promise<void>;
  /** Listen again, where it did before. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

interface Row {
  readonly job: Job;
  readonly items: Map<string, JobItem>;
  lease: string;
  endedLease: string;
}

/** Start a fake control plane whose leases last `leaseMs`. */
export async function startFakeControlPlane(leaseMs: number): Promise<FakeControlPlane> {
  const rows = new Map<string, Row>();
  const heartbeats: HeartbeatRequest[] = [];
  const ends: EndAttemptRequest[] = [];
  const plane = { refusals: 0, answersToLose: 0, recordsToLose: 0, refusePartial: false };
  const logger = createLogger("test", "silent");
  const tools = { logger, metrics: createMetrics("test") };
  let leases = 0;
  let messages = 0;

  const rowOf = (id: string): Row => {
    const row = rows.get(id);
    if (row === undefined) throw new ConnectError(`no job ${id}`, Code.NotFound);
    return row;
  };
  const fenced = (id: string, lease: string): Row => {
    const row = rowOf(id);
    if (row.lease !== lease) throw new ConnectError("this worker does not hold the lease", Code.Aborted);
    return row;
  };
  const binding = bindService(JobWorkerService, {
    startAttempt({ jobId, worker }) {
      const row = rowOf(jobId);
      if (row.job.state === JobState.RUNNING || row.job.finishedAt !== undefined) {
        plane.refusals += 1;
        throw new ConnectError(
          "running or ended",
          row.job.finishedAt === undefined ? Code.Aborted : Code.FailedPrecondition,
        );
      }
      row.lease = `lease-${++leases}`;
      Object.assign(row.job, { state: JobState.RUNNING, attempt: row.job.attempt + 1, worker });
      return {
        job: row.job,
        lease: row.lease,
        leaseDuration: { seconds: BigInt(Math.floor(leaseMs / 1000)), nanos: (leaseMs % 1000) * 1e6 },
        items: [...row.items.values()],
      };
    },
    heartbeat(request) {
      const { job } = fenced(request.jobId, request.lease);
      heartbeats.push(request);
      if (request.progress !== undefined) job.progress = request.progress;
      return { cancelRequested: job.cancelRequested };
    },
    recordItems(request) {
      const row = fenced(request.jobId, request.lease);
      if (plane.recordsToLose % 2 === 1) for (const item of request.items) row.items.set(item.key, item);
      if (plane.recordsToLose-- > 0) throw new ConnectError("the database is away", Code.Internal);
      for (const item of request.items) row.items.set(item.key, item);
      return { cancelRequested: row.job.cancelRequested };
    },
    endAttempt(request) {
      const known = rowOf(request.jobId);
      // As in the real one: repeating the call that ended the attempt returns the job.
      if (known.endedLease === request.lease) return { job: known.job };
      const row = fenced(request.jobId, request.lease);
      if (plane.refusePartial && request.partialResult !== undefined)
        throw new ConnectError("the partial result holds NaN", Code.InvalidArgument);
      ends.push(request);
      Object.assign(row, { lease: "", endedLease: request.lease });
      settle(row.job, request);
      if (plane.answersToLose-- > 0) throw new ConnectError("the answer is lost", Code.Internal);
      return { job: row.job };
    },
  });
  const listen = (port: number): Promise<HostedService> =>
    hostService({
      name: "control",
      host: "127.0.0.1",
      grpcPort: port,
      healthPort: undefined,
      services: [binding],
      ...tools,
    });
  let hosted: HostedService | undefined = await listen(0);
  const { port } = hosted.grpc;
  const channel = openChannel(hosted.address);

  return Object.assign(plane, {
    channel,
    heartbeats,
    ends,
    add(spec: JobSpec["spec"], options: { maxAttempts?: number } = {}) {
      const id = `job-${rows.size + 1}`;
      const job = create(JobSchema, {
        id,
        kind: spec.case ?? "",
        spec: { spec },
        state: JobState.QUEUED,
        maxAttempts: options.maxAttempts ?? 5,
        progress: create(JobProgressSchema),
      });
      rows.set(id, { job, items: new Map(), lease: "", endedLease: "" });
      return id;
    },
    job: (id: string) => rowOf(id).job,
    items: (id: string) => rowOf(id).items,
    async dispatch(bus: EventBus, id: string, messageId = `message-${++messages}`) {
      const payload = toBinary(JobDispatchedSchema, create(JobDispatchedSchema, { jobId: id }));
      await bus.publishWork("jobs.worker.analysis", payload, { messageId });
    },
    requestCancel(id: string) {
      rowOf(id).job.cancelRequested = true;
    },
    takeLease(id: string) {
      rowOf(id).lease = "somebody else's";
    },
    async goAway() {
      await hosted?.stop(0);
      hosted = undefined;
    },
    async comeBack() {
      hosted = await listen(port);
    },
    async close() {
      channel.close();
      await hosted?.stop(0);
    },
  });
}

function settle(job: Job, { outcome, partialResult, requeue }: EndAttemptRequest): void {
  const finish = (state: JobState) => Object.assign(job, { state, finishedAt: timestampNow() });
  if (partialResult !== undefined) job.result = partialResult;
  if (outcome.case === "result") {
    job.result = outcome.value;
    finish(JobState.SUCCEEDED);
  } else if (requeue) {
    Object.assign(job, { state: JobState.QUEUED, attempt: job.attempt - 1 });
  } else if (outcome.case === "cancelled") finish(JobState.CANCELLED);
  else if (outcome.case === "error") {
    job.error = outcome.value;
    if (outcome.value.retryable && job.attempt < job.maxAttempts) job.state = JobState.RETRYING;
    else finish(JobState.FAILED);
  }
}
