import { MAX_MESSAGE_BYTES, MESSAGE_RESERVE_BYTES } from "./defaults.ts";
import { EventsError } from "./errors.ts";

const HEADER_NAME = /^[!#-'*+\-.0-9A-Z^_`a-z|~]+$/;
/** Names the bus and the broker use for themselves. */
const RESERVED = /^(?:nats-|cytomesh-)/;
const encoder = new TextEncoder();

/** Header names in lower case, values trimmed, as they come out on the other side; refuses what a header cannot carry. */
export function checkHeaders(headers: Readonly<Record<string, string>> | undefined): Map<string, string> {
  const checked = new Map<string, string>();
  for (const [name, value] of Object.entries(headers ?? {})) {
    const key = name.toLowerCase();
    if (!HEADER_NAME.test(name) || RESERVED.test(key)) {
      const names =
        'a header name of visible ASCII without ":" that does not start with "nats-" or "cytomesh-"';
      throw new EventsError("invalid_message", `expected ${names}, found ${JSON.stringify(name)}`);
    }
    if (typeof value !== "string" || /\p{Cc}/u.test(value) || !value.isWellFormed()) {
      throw new EventsError(
        "invalid_message",
        `expected header "${name}" to be one line of text without control characters`,
      );
    }
    checked.set(key, value.trim());
  }
  return checked;
}

export function checkMessageId(messageId: string): string {
  if (!/^[\x21-\x7e]{1,256}$/.test(messageId)) {
    throw new EventsError(
      "invalid_message",
      `expected a messageId of 1 to 256 visible ASCII characters, found ${JSON.stringify(messageId)?.slice(0, 80)}`,
    );
  }
  return messageId;
}

/** Bytes of a message as the broker counts them. */
export function messageBytes(payload: Uint8Array, headers: ReadonlyMap<string, string>): number {
  let bytes = payload.byteLength;
  for (const [name, value] of headers) bytes += name.length + encoder.encode(value).byteLength + 4;
  return bytes;
}

/** Refuses what could be stored but could not become a dead letter with its reason added. */
export function checkSize(
  payload: Uint8Array,
  headers: ReadonlyMap<string, string>,
  maxPayload = MAX_MESSAGE_BYTES,
): void {
  const limit = maxPayload - MESSAGE_RESERVE_BYTES;
  const found = messageBytes(payload, headers);
  if (found > limit) {
    throw new EventsError(
      "payload_too_large",
      `expected a message of at most ${limit} bytes, found ${found}; put bulk data in the object store and send its URI`,
    );
  }
}
