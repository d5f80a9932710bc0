import { parseArgs } from "node:util";
import { CliError } from "./errors.ts";

/** One option of a command. */
export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly multiple?: boolean;
  /** Placeholder in the help text. */
  readonly value?: string;
  readonly help: string;
  readonly default?: string;
}

/** Parsed options: strings, flags, or lists of strings. */
export type Options<S extends Record<string, OptionSpec>> = {
  [K in keyof S]: S[K]["multiple"] extends true
    ? string[]
    : S[K]["type"] extends "boolean"
      ? boolean
      : string | undefined;
};

/** What a command is given. */
export interface CommandInput<S extends Record<string, OptionSpec>> {
  readonly options: Options<S>;
  readonly positionals: string[];
  readonly signal: AbortSignal;
}

/** A verb of `cytomesh`. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly spec: Record<string, OptionSpec>;
  run(args: string[], signal: AbortSignal): Promise<void>;
}

/** Options of every command that talks to a mesh. */
export const meshOptions = {
  api: {
    type: "string",
    value: "HOST:PORT",
    help: "gRPC address of the mesh (CYTOMESH_API, default 127.0.0.1:7401)",
  },
  json: { type: "boolean", help: "print JSON instead of text" },
} as const satisfies Record<string, OptionSpec>;

/** Options of every command that creates a job. */
export const jobOptions = {
  ...meshOptions,
  key: {
    type: "string",
    value: "KEY",
    help: "idempotency key; default: derived from the request, so repeating a command finds its job",
  },
  new: { type: "boolean", help: "always make a new job" },
  detach: { type: "boolean", help: "print the job id and do not wait" },
  after: {
    type: "string",
    multiple: true,
    value: "ID",
    help: "job that must succeed before this one begins",
  },
  config: {
    type: "string",
    value: "URI",
    help: "read the request from a JSON file (path, file://, gs:// or s3://); options override it",
  },
} as const satisfies Record<string, OptionSpec>;

/** Define a command; options are parsed and checked before it runs. */
export function defineCommand<const S extends Record<string, OptionSpec>>(definition: {
  name: string;
  usage: string;
  options: S;
  /** How many words besides the options it takes; more are a mistake, and not to be passed over. */
  positionals: number;
  run(input: CommandInput<S>): Promise<void>;
}): Command {
  return {
    name: definition.name,
    usage: definition.usage,
    spec: definition.options,
    async run(args, signal) {
      const input = parse(definition.name, definition.options, args);
      const unexpected = input.positionals.slice(definition.positionals);
      if (unexpected.length > 0)
        throw new CliError(
          "usage",
          `unexpected "${unexpected.join(" ")}"; use: cytomesh ${definition.usage}`,
        );
      await definition.run({ ...input, signal });
    },
  };
}

function parse<S extends Record<string, OptionSpec>>(name: string, spec: S, args: string[]) {
  const config = Object.fromEntries(
    Object.entries(spec).map(([key, { type, multiple }]) => [key, { type, multiple: multiple ?? false }]),
  );
  try {
    const { values, positionals } = parseArgs({
      args,
      options: config,
      allowPositionals: true,
      strict: true,
    });
    const options: Record<string, unknown> = {};
    for (const [key, one] of Object.entries(spec))
      options[key] = values[key] ?? (one.multiple ? [] : one.type === "boolean" ? false : one.default);
    return { options: options as Options<S>, positionals };
  } catch (error) {
    throw new CliError("usage", `${(error as Error).message}\nTry: cytomesh ${name} --help`);
  }
}

/** Help text of one command; the summary is the overview's. */
export function helpOf(command: Command, summary: string): string {
  const rows = Object.entries(command.spec).map(
    ([key, { type, value, help, multiple, default: standard }]) => {
      const left = `--${key}${type === "string" ? ` ${value ?? "VALUE"}` : ""}`;
      const notes = [
        multiple ? "repeatable" : "",
        standard === undefined ? "" : `default ${standard}`,
      ].filter(Boolean);
      return [left, notes.length > 0 ? `${help} (${notes.join("; ")})` : help] as const;
    },
  );
  const width = Math.max(0, ...rows.map(([left]) => left.length)) + 2;
  return [
    `cytomesh ${command.usage}`,
    "",
    summary,
    ...(rows.length > 0 ? ["", ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`)] : []),
    "",
  ].join("\n");
}

/**
 * What a command cannot do without, by what a person would write: empty texts, zeros and false are missing.
 *
 * @throws CliError `usage` with all that is missing
 */
export function needs(given: Readonly<Record<string, string | number | boolean | undefined>>): void {
  const missing = Object.entries(given)
    .filter(([, value]) => !value)
    .map(([name]) => name);
  if (missing.length > 0) throw new CliError("usage", `missing: ${missing.join(", ")}`);
}

/** A whole number given as an option. */
export function integerOption(
  name: string,
  text: string | undefined,
  range: { min: number; max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < range.min || value > range.max)
    throw new CliError(
      "usage",
      `--${name} expects a whole number from ${range.min} to ${range.max}, found "${text}"`,
    );
  return value;
}

/** A number given as an option. */
export function numberOption(
  name: string,
  text: string | undefined,
  range: { min: number; max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= range.min && value <= range.max))
    throw new CliError(
      "usage",
      `--${name} expects a number from ${range.min} to ${range.max}, found "${text}"`,
    );
  return value;
}

/** One of the words that an option knows. */
export function choiceOption<T>(
  name: string,
  text: string | undefined,
  choices: Readonly<Record<string, T>>,
): T | undefined {
  if (text === undefined) return undefined;
  if (!Object.hasOwn(choices, text))
    throw new CliError("usage", `--${name} knows ${Object.keys(choices).join(", ")}; found "${text}"`);
  return choices[text];
}

/** Pairs given as `FROM=TO`. */
export function pairsOption(name: string, list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((text) => {
      const at = text.indexOf("=");
      if (at < 1 || at === text.length - 1)
        throw new CliError("usage", `--${name} expects FROM=TO, found "${text}"`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
