import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { EdgeError } from "../edge/errors.ts";

/** An answer up to this size goes out whole, so that a failure halfway still becomes a proper status. In characters. */
const wholeAnswer = 1024 * 1024;

/** Pieces are joined up to this size before they are written. In characters. */
const chunkSize = 64 * 1024;

/**
 * Send JSON as it is made. Small answers have a length and a status that is right; a larger one that fails on the way is cut off, so
 * that no client takes it for complete.
 *
 * @param pieces text in order; released when the answer ends in any way
 * @param onStall called when the client has not read for `stallTimeoutMs`
 */
export async function sendJsonStream(
  reply: FastifyReply,
  pieces: AsyncGenerator<string>,
  o: { stallTimeoutMs: number; onStall: (reason: EdgeError) => void },
): Promise<FastifyReply> {
  let head = "";
  while (head.length < wholeAnswer) {
    const step = await pieces.next();
    if (step.done === true) return reply.type("application/json; charset=utf-8").send(head);
    head += step.value;
  }
  const stream = Readable.from(joined(head, pieces, o), { objectMode: false, highWaterMark: 4 * chunkSize });
  return reply.type("application/json; charset=utf-8").send(stream);
}

async function* joined(
  head: string,
  pieces: AsyncGenerator<string>,
  o: { stallTimeoutMs: number; onStall: (reason: EdgeError) => void },
): AsyncGenerator<Buffer> {
  const handOut = async function* (text: string): AsyncGenerator<Buffer> {
    // While this generator rests at `yield`, the client has yet to take what it was given before.
    const timer = setTimeout(
      () =>
        o.onStall(
          new EdgeError("client-gone", `the client has not read its answer for ${o.stallTimeoutMs} ms`),
        ),
      o.stallTimeoutMs,
    );
    try {
      yield Buffer.from(text);
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    yield* handOut(head);
    let text = "";
    for await (const piece of pieces) {
      text += piece;
      if (text.length < chunkSize) continue;
      yield* handOut(text);
      text = "";
    }
    if (text !== "") yield* handOut(text);
  } finally {
    await pieces.return(undefined);
  }
}

/** Items as a JSON array, piece by piece. */
export async function* jsonArray(items: AsyncIterable<string>): AsyncGenerator<string> {
  let separator = "[";
  for await (const item of items) {
    yield separator + item;
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}

/**
 * A value as JSON, refusing numbers that JSON has no word for.
 *
 * @throws EdgeError `bad-answer`
 */
export function finiteJson(value: unknown): string {
  return JSON.stringify(value, (key, inner) => {
    if (typeof inner === "number" && !Number.isFinite(inner))
      throw new EdgeError("bad-answer", `a service answered ${inner} for ${key}`);
    return inner;
  });
}
