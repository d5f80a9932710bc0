import { ZarrError } from "../errors.ts";
import type { Json, JsonObject } from "../types.ts";

/** Consolidated metadata of a million nodes is about this long; nesting is 3 to 10 in practice. */
const limits = { bytes: 256 * 1024 * 1024, depth: 64 };

/**
 * JSON as Python writes it: with bare NaN, Infinity and -Infinity, and integers that a double cannot hold. Size and depth are checked
 * before parsing.
 *
 * @throws ZarrError "corrupt" | "too-large"
 */
export function parseJson(bytes: Uint8Array, where: string): Json {
  if (bytes.length > limits.bytes) {
    throw new ZarrError("too-large", `${where}: ${bytes.length} bytes of JSON, the limit is ${limits.bytes}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ZarrError("corrupt", `${where}: not UTF-8`, { cause });
  }
  const bare = scan(text, where);
  const wide = /\d{16}/.test(text);
  try {
    if (bare.length === 0 && !wide) return JSON.parse(text) as Json;
    return JSON.parse(quoteBare(text, bare), revive) as Json;
  } catch (cause) {
    throw new ZarrError("corrupt", `${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own property; names such as "__proto__" find nothing else. */
export function field(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Depth check; returns where bare NaN and infinities stand as [start, end) pairs. */
function scan(text: string, where: string): [number, number][] {
  const bare: [number, number][] = [];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfString(text, at);
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > limits.depth) {
        throw new ZarrError("corrupt", `${where}: JSON nested deeper than ${limits.depth}`);
      }
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
    } else if (code === 0x4e || code === 0x49) {
      const word = code === 0x4e ? "NaN" : "Infinity";
      if (!text.startsWith(word, at)) continue;
      bare.push([text[at - 1] === "-" ? at - 1 : at, at + word.length]);
      at += word.length - 1;
    }
  }
  return bare;
}

/** Index of the closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at;
  }
  return text.length;
}

/** No JSON of ours begins a string with this: it marks a quoted bare word for `revive`. */
const mark = "\u0001bare:";

function quoteBare(text: string, bare: readonly [number, number][]): string {
  const parts: string[] = [];
  let from = 0;
  for (const [start, end] of bare) {
    parts.push(text.slice(from, start), JSON.stringify(mark + text.slice(start, end)));
    from = end;
  }
  parts.push(text.slice(from));
  return parts.join("");
}

function revive(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value === "string" && value.startsWith(mark)) return Number(value.slice(mark.length));
  if (typeof value === "number" && !Number.isSafeInteger(value) && context?.source !== undefined) {
    return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
  }
  return value;
}

/** A value for an error message: short, and BigInt does no harm. */
export function show(value: unknown): string {
  const text =
    JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part)) ?? "missing";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
