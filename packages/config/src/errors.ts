/** One setting that could not be used. `found` is already safe to print: secrets are masked. */
export interface ConfigProblem {
  readonly variable: string;
  readonly expected: string;
  readonly found: string;
}

export type ConfigErrorTag = "invalid_settings";

const TABLE = {
  invalid_settings: { grpcCode: "failed_precondition", httpStatus: 500 },
} as const satisfies Record<ConfigErrorTag, { grpcCode: string; httpStatus: number }>;

/** The environment does not describe a program that can run. Lists every problem at once. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly tag: ConfigErrorTag = "invalid_settings";
  readonly grpcCode: string = TABLE.invalid_settings.grpcCode;
  readonly httpStatus: number = TABLE.invalid_settings.httpStatus;
  readonly problems: readonly ConfigProblem[];

  constructor(program: string, problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? "1 setting is wrong" : `${problems.length} settings are wrong`;
    const lines = problems.map((p) => `  ${p.variable}: expected ${p.expected}, found ${p.found}`);
    super(`${program}: ${count}; set these environment variables and start again\n${lines.join("\n")}`);
    this.problems = problems;
  }
}
