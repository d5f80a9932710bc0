import { z } from "zod";
import { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from "./units.ts";

interface EnvMeta {
  readonly expected: string;
  readonly secret?: boolean;
  readonly format?: (value: never) => string;
}

const registry = z.registry<EnvMeta>();

/** What a builder of `env` knows about its variable, found through `.default()`, `.optional()` and the like. */
export function envMeta(schema: z.core.$ZodType): EnvMeta | undefined {
  const known = registry.get(schema as z.ZodType);
  if (known) return known;
  const inner = (schema._zod.def as { innerType?: z.core.$ZodType }).innerType;
  return inner && envMeta(inner);
}

type Parse<T> = (text: string) => T | undefined;

function build<T>(meta: EnvMeta, parse: Parse<T>, fallback: string | T | undefined): z.ZodType<T> {
  const schema: z.ZodType<T> = z.string().transform((text, context) => {
    const value = parse(text.trim());
    if (value !== undefined) return value;
    context.issues.push({ code: "custom", message: `expected ${meta.expected}`, input: text });
    return z.NEVER;
  });
  registry.add(schema, meta);
  if (fallback === undefined) return schema;
  const value = typeof fallback === "string" ? parse(fallback) : fallback;
  if (value === undefined) throw new TypeError(`default "${fallback}" is not ${meta.expected}`);
  return schema.default(value as z.core.util.NoUndefined<T>);
}

const parseNumber = (text: string, whole: boolean, min: number, max: number): number | undefined => {
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) return undefined;
  return value >= min && value <= max ? value : undefined;
};

const parseUrl = (text: string, schemes: readonly string[] | undefined): string | undefined => {
  if (!URL.canParse(text)) return undefined;
  return !schemes || schemes.includes(new URL(text).protocol.slice(0, -1)) ? text : undefined;
};

const TRUE = new Set(["true", "1", "yes", "on"]);
const FALSE = new Set(["false", "0", "no", "off"]);
const parseBool = (text: string): boolean | undefined => {
  const word = text.toLowerCase();
  return TRUE.has(word) ? true : FALSE.has(word) ? false : undefined;
};

const items = (text: string): string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

interface Range {
  readonly min?: number;
  readonly max?: number;
}

function rangeText({ min, max }: Range): string {
  if (min !== undefined && max !== undefined) return ` between ${min} and ${max}`;
  return min !== undefined ? ` of at least ${min}` : max !== undefined ? ` of at most ${max}` : "";
}

const number = (whole: boolean, fallback: number | undefined, range: Range): z.ZodType<number> =>
  build(
    { expected: `${whole ? "a whole number" : "a number"}${rangeText(range)}` },
    (text) => parseNumber(text, whole, range.min ?? -Infinity, range.max ?? Infinity),
    fallback,
  );

const schemeText = (schemes: readonly string[] | undefined): string =>
  schemes ? ` (${schemes.map((s) => `${s}://`).join(", ")})` : "";

/**
 * Builders for environment variables. Each takes an optional default in the form one would write in the environment,
 * and returns a zod schema, so `.default()`, `.optional()` and `.refine()` work as usual. An empty variable counts as unset.
 */
export const env = {
  string: (fallback?: string): z.ZodType<string> =>
    build({ expected: "text" }, (t) => t || undefined, fallback),

  /** 0 (any free port) to 65535. */
  port: (fallback?: number): z.ZodType<number> =>
    build({ expected: "a port between 0 and 65535" }, (t) => parseNumber(t, true, 0, 65535), fallback),

  url: (fallback?: string, o: { schemes?: readonly string[] } = {}): z.ZodType<string> =>
    build({ expected: `a URL${schemeText(o.schemes)}` }, (t) => parseUrl(t, o.schemes), fallback),

  /** URLs separated by commas. */
  urlList: (fallback?: string, o: { schemes?: readonly string[] } = {}): z.ZodType<string[]> =>
    build(
      { expected: `URLs separated by commas${schemeText(o.schemes)}` },
      (t) => {
        const urls = items(t);
        return urls.length > 0 && urls.every((u) => parseUrl(u, o.schemes) !== undefined) ? urls : undefined;
      },
      fallback,
    ),

  /** A size such as "64MiB", "1.5GB" or "4096"; the value is in bytes. */
  bytes: (fallback?: string): z.ZodType<number> =>
    build({ expected: 'a size such as "64MiB"', format: formatBytes }, parseBytes, fallback),

  /** A duration such as "250ms", "30s" or "1m30s"; the value is in milliseconds. */
  durationMs: (fallback?: string): z.ZodType<number> =>
    build({ expected: 'a duration such as "30s"', format: formatDurationMs }, parseDurationMs, fallback),

  int: (fallback?: number, range: Range = {}): z.ZodType<number> => number(true, fallback, range),
  float: (fallback?: number, range: Range = {}): z.ZodType<number> => number(false, fallback, range),

  /** true/false, 1/0, yes/no, on/off. */
  bool: (fallback?: boolean): z.ZodType<boolean> =>
    build({ expected: '"true" or "false"' }, parseBool, fallback),

  /** Text items separated by commas; blanks are dropped. */
  list: (fallback?: string): z.ZodType<string[]> =>
    build({ expected: "items separated by commas" }, items, fallback),

  /** Text that is never printed: not by `describeConfig`, not in an error. */
  secret: (fallback?: string): z.ZodType<string> =>
    build({ expected: "a secret", secret: true }, (t) => t || undefined, fallback),

  /** A file or folder. `~/` at the start is the home directory; otherwise kept as written. */
  path: (fallback?: string): z.ZodType<string> =>
    build(
      { expected: "a path" },
      (t) => (t.includes("\0") || t === "" ? undefined : t.replace(/^~(?=\/)/, process.env.HOME ?? "~")),
      fallback,
    ),
} as const;
