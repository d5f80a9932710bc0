import { JetStreamApiError, type JetStreamClient, type PubAck } from "@nats-io/jetstream";
import { headers as createHeaders, errors, type Msg, type MsgHdrs, nanos } from "@nats-io/transport-node";
import { asError, EventsError } from "./errors.ts";
import { type Link, persist } from "./jetstream-link.ts";

export const MESSAGE_ID = "Nats-Msg-Id";
/** The publisher's id where `Nats-Msg-Id` had to be another one: dead letters and replays. */
export const ORIGINAL_ID = "Cytomesh-Message-Id";
export const REASON = "Cytomesh-Reason";

/** How long a publish is retried while the broker is away. */
export const PUBLISH_DEADLINE_MS = 30_000;
const REQUEST_MS = 5000;

export function toWireHeaders(
  user: ReadonlyMap<string, string>,
  own: Readonly<Record<string, string>>,
): MsgHdrs {
  const wire = createHeaders();
  for (const [name, value] of [...user, ...Object.entries(own)]) wire.set(name, value);
  return wire;
}

/** The user's headers: names in lower case, without the broker's and the bus's own. */
export function fromWireHeaders(wire: MsgHdrs | undefined): Map<string, string> {
  const user = new Map<string, string>();
  for (const [name, values] of wire ?? []) {
    const key = name.toLowerCase();
    if (!key.startsWith("nats-") && !key.startsWith("cytomesh-")) user.set(key, values.join(", "));
  }
  return user;
}

export const originalId = (wire: MsgHdrs | undefined): string =>
  wire?.get(ORIGINAL_ID) || wire?.get(MESSAGE_ID) || "";

/** What a delivered message's reply subject says about it (NATS ADR-15, both forms). */
export interface DeliveryFacts {
  readonly deliveryCount: number;
  readonly streamSequence: number;
  readonly storedAtNanos: string;
}

export function parseReply(reply: string): DeliveryFacts | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK") return undefined;
  // $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
  const at = tokens.length === 9 ? 4 : tokens.length >= 11 ? 6 : undefined;
  if (at === undefined) return undefined;
  return {
    deliveryCount: Number(tokens[at]),
    streamSequence: Number(tokens[at + 1]),
    storedAtNanos: tokens[at + 3]!,
  };
}

// Error codes of nats-server: no room left, in its several forms.
const FULL_CODES = new Set([10023, 10047, 10077, 10109, 10122]);
const TOO_LARGE = 10054;

/** What an answer means that repeating the publish will not change. */
function refusal(error: unknown, subject: string): EventsError | undefined {
  const options = { cause: error };
  if (error instanceof errors.PermissionViolationError) {
    return new EventsError("unavailable", `NATS does not permit publishing ${subject}`, options);
  }
  if (!(error instanceof JetStreamApiError)) return undefined;
  if (FULL_CODES.has(error.code)) {
    const recover = "retry later, or start more consumers";
    return new EventsError(
      "queue_full",
      `NATS has no room for ${subject}: ${error.message}; ${recover}`,
      options,
    );
  }
  if (error.code === TOO_LARGE) {
    return new EventsError("payload_too_large", `NATS refused ${subject}: ${error.message}`, options);
  }
  // 503 is a server that is starting or electing a leader.
  if (error.status === 503) return undefined;
  return new EventsError("unavailable", `NATS refused ${subject}: ${error.message}`, options);
}

/**
 * Publishes until the server says it is stored. `headers` must carry a `Nats-Msg-Id`: an attempt whose answer was lost is
 * repeated, and the server drops the second copy.
 */
export async function publishStored(
  link: Link,
  js: JetStreamClient,
  subject: string,
  payload: Uint8Array,
  headers: MsgHdrs,
): Promise<void> {
  const attempt = (): Promise<PubAck> => js.publish(subject, payload, { headers, timeout: REQUEST_MS });
  try {
    await persist(link, PUBLISH_DEADLINE_MS, attempt, (error) => refusal(error, subject) !== undefined);
  } catch (error) {
    if (error instanceof EventsError) throw error;
    const waited = `NATS did not store ${subject} within ${PUBLISH_DEADLINE_MS / 1000} s`;
    throw (
      refusal(error, subject) ??
      new EventsError("unavailable", `${waited}: ${asError(error).message}`, { cause: error })
    );
  }
}

const encoder = new TextEncoder();
const WORKING = encoder.encode("+WPI");

export type Settlement = "done" | "terminate" | { readonly againAfterMs: number };

function settlementBytes(settlement: Settlement): Uint8Array {
  if (settlement === "done") return encoder.encode("+ACK");
  if (settlement === "terminate") return encoder.encode("+TERM");
  const delay = settlement.againAfterMs;
  return encoder.encode(delay > 0 ? `-NAK ${JSON.stringify({ delay: nanos(delay) })}` : "-NAK");
}

/** Tells the server and waits until it says it knows, for at most `deadlineMs`: past the ack deadline it would not matter. */
export async function settleDelivery(
  link: Link,
  msg: Msg,
  settlement: Settlement,
  deadlineMs: number,
): Promise<void> {
  const bytes = settlementBytes(settlement);
  const timeout = Math.min(REQUEST_MS, deadlineMs);
  try {
    await persist(link, deadlineMs, () => link.nc.request(msg.reply!, bytes, { timeout }));
  } catch (error) {
    const outcome = `the outcome of a message of ${msg.subject} did not reach NATS; it will be delivered again`;
    throw new EventsError("unavailable", outcome, { cause: error });
  }
}

/** Extends the ack deadline; fire and forget, the next one comes soon. */
export function sendWorking(link: Link, msg: Msg): void {
  if (link.connected() && !link.nc.isClosed()) link.nc.publish(msg.reply!, WORKING);
}
