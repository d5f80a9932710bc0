/** A mistake in how the command was called, or a run that ended badly: printed without a stack. */
export class CliError extends Error {
  readonly tag: "usage" | "job-failed" | "job-cancelled" | "failed";
  readonly grpcCode = "failed_precondition";
  readonly httpStatus = 400;

  constructor(tag: CliError["tag"], message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "CliError";
    this.tag = tag;
  }

  /** Exit code: 2 for a wrong call, 1 for everything that went wrong while running, 3 for a cancelled job. */
  get exitCode(): number {
    return this.tag === "usage" ? 2 : this.tag === "job-cancelled" ? 3 : 1;
  }
}
