import { z } from "zod";
import { envMeta } from "./env.ts";
import { ConfigError, type ConfigProblem } from "./errors.ts";
import { looksSecret, redactUrls } from "./redact.ts";

export interface LoadConfigOptions {
  /** Where to read from. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The program's name, for the first line of the error. */
  readonly name?: string;
}

const isSecret = (variable: string, schema: z.core.$ZodType): boolean =>
  envMeta(schema)?.secret === true || looksSecret(variable);

/** Nothing longer than this is worth repeating in an error message. */
const SHOWN_CHARACTERS = 120;

function shown(variable: string, schema: z.core.$ZodType, text: string | undefined): string {
  if (text === undefined) return "nothing (it is not set)";
  if (isSecret(variable, schema)) return "a value that is not shown because it is a secret";
  const safe = redactUrls(text);
  return JSON.stringify(safe.length > SHOWN_CHARACTERS ? `${safe.slice(0, SHOWN_CHARACTERS)}…` : safe);
}

function expectation(schema: z.core.$ZodType, issues: readonly z.core.$ZodIssue[]): string {
  const meta = envMeta(schema);
  // Issues that a `.refine()` added on top of a builder say more than the builder does.
  const own = issues.map((i) => i.message).filter((m) => m !== `expected ${meta?.expected}`);
  const refined = own.filter((m) => !/received undefined/.test(m));
  if (meta && refined.length === 0) return meta.expected;
  return (refined.length > 0 ? refined : own).join("; ").replace(/^Invalid [a-z ]+: expected /, "");
}

/**
 * Reads settings whose keys are environment variable names. A variable that is set but empty counts as unset, as compose
 * files and CI systems produce those. Throws `ConfigError` naming every variable that is wrong, what was found and what
 * was expected; a secret's value is never part of it.
 */
export function loadConfig<S extends z.ZodRawShape>(
  shape: S,
  options: LoadConfigOptions = {},
): z.infer<z.ZodObject<S>> {
  const source = options.env ?? process.env;
  const settings: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  for (const [variable, schema] of Object.entries(shape) as [string, z.core.$ZodType][]) {
    const text = source[variable]?.trim() === "" ? undefined : source[variable];
    const result = z.safeParse(schema, text);
    if (result.success) {
      settings[variable] = result.data;
    } else {
      const expected = expectation(schema, result.error.issues);
      problems.push({ variable, expected, found: shown(variable, schema, text) });
    }
  }
  if (problems.length > 0) throw new ConfigError(options.name ?? "configuration", problems);
  return settings as z.infer<z.ZodObject<S>>;
}

/** The settings as text for the start log: secrets become "(set)" or "(not set)", passwords in URLs become ***. */
export function describeConfig<S extends z.ZodRawShape>(
  shape: S,
  config: z.infer<z.ZodObject<S>>,
): Record<string, string> {
  const described: Record<string, string> = {};
  for (const [variable, schema] of Object.entries(shape) as [string, z.core.$ZodType][]) {
    const value = (config as Record<string, unknown>)[variable];
    const format = envMeta(schema)?.format as ((value: unknown) => string) | undefined;
    if (isSecret(variable, schema)) described[variable] = value === undefined ? "(not set)" : "(set)";
    else if (value === undefined) described[variable] = "(not set)";
    else if (format && typeof value === "number") described[variable] = format(value);
    else described[variable] = redactUrls(typeof value === "string" ? value : JSON.stringify(value));
  }
  return described;
}
