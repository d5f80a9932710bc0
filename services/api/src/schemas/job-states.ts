import { ItemState, JobState } from "@cytomesh/contracts/jobs/v1/job";
import type { ItemStateName, JobStateName } from "./jobs.ts";

const stateNumbers: Record<JobStateName, JobState> = {
  waiting: JobState.WAITING,
  queued: JobState.QUEUED,
  running: JobState.RUNNING,
  retrying: JobState.RETRYING,
  succeeded: JobState.SUCCEEDED,
  failed: JobState.FAILED,
  cancelled: JobState.CANCELLED,
};

const itemNumbers: Record<ItemStateName, ItemState> = {
  pending: ItemState.PENDING,
  running: ItemState.RUNNING,
  succeeded: ItemState.SUCCEEDED,
  failed: ItemState.FAILED,
};

function reverse<N extends string>(numbers: Record<N, number>): ReadonlyMap<number, N> {
  return new Map((Object.entries(numbers) as [N, number][]).map(([name, number]) => [number, name]));
}

const stateNames = reverse(stateNumbers);
const itemNames = reverse(itemNumbers);

export const jobStateNumber = (state: JobStateName): JobState => stateNumbers[state];
export const itemStateNumber = (state: ItemStateName): ItemState => itemNumbers[state];
/** Undefined for UNSPECIFIED and for numbers of newer contracts. */
export const jobStateName = (state: JobState): JobStateName | undefined => stateNames.get(state);
export const itemStateName = (state: ItemState): ItemStateName | undefined => itemNames.get(state);
