import type { JsonValue } from "@bufbuild/protobuf";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { AnalysisError } from "../errors.ts";

/** A task's context, with the size its answer may have. */
export interface AnalysisContext extends TaskContext {
  readonly maxStructBytes: number;
}

/** Numbers in one answer at most: 160 MB as an array in memory, about 100 MB as JSON. */
const maxValues = 10_000_000;

/** A number in a Struct list is at least this long: tag, length, tag, double. */
const bytesPerNumber = 11;

/**
 * Refuse an answer of so many numbers before it is computed.
 *
 * @throws AnalysisError `too-many-values`, `result-too-large`
 */
export function refuseTooMany(values: number, advice: string, context: AnalysisContext): void {
  if (values > maxValues)
    throw new AnalysisError(
      "too-many-values",
      `the answer would have ${values} numbers, more than the ${maxValues} of one task; ${advice}`,
    );
  if (values * bytesPerNumber > context.maxStructBytes)
    throw tooLarge(values * bytesPerNumber, context.maxStructBytes);
}

/** The refusal of an answer that does not fit into a message. */
export function tooLarge(found: number, limit: number): AnalysisError {
  return new AnalysisError(
    "result-too-large",
    `the answer has ${found} bytes, more than the ${limit} of a message; submit the task as a job (SubmitTask), which writes a file`,
  );
}

/** A number as JSON can hold it: not finite becomes null. */
export function finite(value: number | undefined): JsonValue {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
