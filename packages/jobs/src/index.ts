export { type AttemptOutcome, AttemptStopped } from "./attempt.ts";
export { describeFailure, type Failure, JobFailure } from "./failure.ts";
export {
  type AnyJobHandler,
  defineHandler,
  type ItemRecord,
  type JobContext,
  type JobHandler,
  type JobKind,
  type ProgressUpdate,
  type ResultInit,
  type ResultOf,
  type SpecOf,
} from "./handler.ts";
export { type JobWorkerOptions, startJobWorker } from "./worker.ts";
