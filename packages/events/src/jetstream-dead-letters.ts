import type { StoredMsg } from "@nats-io/jetstream";
import { EventsError } from "./errors.ts";
import {
  fromWireHeaders,
  MESSAGE_ID,
  ORIGINAL_ID,
  originalId,
  publishStored,
  REASON,
  toWireHeaders,
} from "./jetstream-wire.ts";
import type { JetStreamParts } from "./jetstream-work.ts";
import type { DeadLetter } from "./types.ts";

/** Messages read from the server at once. */
const READ_AHEAD = 16;

/** "<prefix>dead.jobs.ingest.load" → "jobs.ingest.load". */
const subjectOf = (parts: JetStreamParts, msg: StoredMsg): string =>
  msg.subject.slice(`${parts.names.subjectPrefix}dead.`.length);

function toDeadLetter(parts: JetStreamParts, msg: StoredMsg): DeadLetter {
  return {
    id: String(msg.seq),
    subject: subjectOf(parts, msg),
    reason: msg.header.get(REASON),
    payload: msg.data,
    headers: fromWireHeaders(msg.header),
    at: msg.time,
  };
}

export async function listDeadLetters(parts: JetStreamParts, limit: number): Promise<DeadLetter[]> {
  const { jsm, names } = parts;
  const { state } = await jsm.streams.info(names.dead, { deleted_details: true });
  const gone = new Set(state.deleted);
  const wanted: number[] = [];
  for (let seq = state.last_seq; seq >= state.first_seq && seq > 0 && wanted.length < limit; seq--) {
    if (!gone.has(seq)) wanted.push(seq);
  }
  const letters: DeadLetter[] = [];
  for (let at = 0; at < wanted.length; at += READ_AHEAD) {
    const batch = wanted.slice(at, at + READ_AHEAD).map((seq) => jsm.streams.getMessage(names.dead, { seq }));
    // One that was replayed or aged out in the meantime is simply no longer there.
    for (const msg of await Promise.all(batch)) if (msg) letters.push(toDeadLetter(parts, msg));
  }
  return letters;
}

export async function replayJetStreamDeadLetter(parts: JetStreamParts, id: string): Promise<void> {
  const { link, js, jsm, names } = parts;
  const seq = /^[1-9]\d{0,15}$/.test(id) ? Number(id) : undefined;
  const msg = seq === undefined ? null : await jsm.streams.getMessage(names.dead, { seq });
  if (!msg || seq === undefined)
    throw new EventsError("not_found", `no dead letter has the id ${JSON.stringify(id)}`);
  const headers = toWireHeaders(fromWireHeaders(msg.header), {
    [ORIGINAL_ID]: originalId(msg.header),
    // Not the original id, which may still be remembered; and the same for two replays at once, of which one is enough.
    [MESSAGE_ID]: `replay:${seq}:${msg.timestamp}`,
  });
  await publishStored(link, js, `${names.subjectPrefix}${subjectOf(parts, msg)}`, msg.data, headers);
  await jsm.streams.deleteMessage(names.dead, seq).catch(async (error: unknown) => {
    if (await jsm.streams.getMessage(names.dead, { seq })) throw error;
  });
}
