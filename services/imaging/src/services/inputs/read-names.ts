import { setImmediate as breathe } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { ImagingError } from "../../errors.ts";

/** File names are no longer on any disk. */
const maxName = 255;

/** Names at a time, and the ms that they may take: a thousand names take one, on a machine that does nothing else. */
const batch = 1_000;
const batchMs = 3_000;

/** What a file name says. */
export interface NamedChannel {
  readonly field: string;
  readonly channel: string;
  /** Plane of a stack as it is written, digits; undefined where the name has none. */
  readonly z: string | undefined;
}

/**
 * What file names say by a pattern, which has to fit all of a name; undefined for those that it does not fit. The field is every named group
 * but `channel` and `z`, joined by `_`.
 *
 * @param source of `channelPattern`.
 * @throws ImagingError `bad-options` for a pattern that takes too long (nested repetitions), or a `z` that is not a number.
 */
export async function readNames(
  source: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<(NamedChannel | undefined)[]> {
  const whole = new RegExp(`^(?:${source})$`, "u");
  const found: (NamedChannel | undefined)[] = [];
  for (let start = 0; start < names.length; start += batch) {
    signal.throwIfAborted();
    const some = names.slice(start, start + batch);
    const run = () => some.map((name) => (name.length > maxName ? null : whole.exec(name)));
    let matches: (RegExpExecArray | null)[];
    try {
      // A regular expression can take for ever on a short name; only so can it be stopped.
      matches = runInNewContext("run()", { run }, { timeout: batchMs }) as typeof matches;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw cause;
      throw new ImagingError(
        "bad-options",
        `channel_pattern ${JSON.stringify(source)}: expected one that reads ${some.length} file names, as ${JSON.stringify(some[0])}, within ${batchMs} ms, found one that takes longer; repetitions within repetitions do that`,
        { cause },
      );
    }
    for (const match of matches) found.push(match === null ? undefined : namedChannel(match, source));
    await breathe();
  }
  return found;
}

/** The name that the file of another channel and plane has, whose field has the file `name`, which fits. */
export function siblingName(source: string, name: string, channel: string, z: string | undefined): string {
  const at = wholeName(source).exec(name)?.indices?.groups ?? {};
  const parts = [[at.channel, channel] as const, [z === undefined ? undefined : at.z, z ?? ""] as const];
  return (
    parts
      .flatMap(([span, text]) => (span === undefined ? [] : [{ from: span[0], to: span[1], text }]))
      // From behind, so that what comes before stays where it is.
      .sort((a, b) => b.from - a.from)
      .reduce((whole, { from, to, text }) => whole.slice(0, from) + text + whole.slice(to), name)
  );
}

/** What the names of all files of a field begin with, by the name of one of them, which fits. */
export function sharedStart(source: string, name: string): string {
  const groups = wholeName(source).exec(name)?.indices?.groups ?? {};
  const first = Object.entries(groups).find(
    ([key, span]) => span?.[0] === 0 && key !== "channel" && key !== "z",
  );
  return name.slice(0, first?.[1]?.[1] ?? 0);
}

function wholeName(source: string): RegExp {
  return new RegExp(`^(?:${source})$`, "du");
}

function namedChannel(match: RegExpExecArray, source: string): NamedChannel | undefined {
  const { channel, z, ...others } = (match.groups ?? {}) as Record<string, string | undefined>;
  const field = Object.values(others).filter(Boolean).join("_");
  if (!channel || field === "" || field === "." || field === "..") return undefined;
  if (z !== undefined && !/^\d{1,9}$/.test(z))
    throw new ImagingError(
      "bad-options",
      `channel_pattern ${JSON.stringify(source)}: expected digits in the group z, found ${JSON.stringify(z)} in ${JSON.stringify(match[0])}`,
    );
  return { field, channel, z };
}
