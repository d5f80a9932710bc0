import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { FastifyReply } from "fastify";
import { EdgeError } from "../../edge/errors.ts";

/** A message in protobuf JSON, fields without a value included. */
export function messageJson<D extends DescMessage>(desc: D, message: MessageShape<D>): JsonValue {
  return toJson(desc, message, { alwaysEmitImplicit: true });
}

/** Answer with a message in protobuf JSON. */
export function sendMessage<D extends DescMessage>(
  reply: FastifyReply,
  desc: D,
  message: MessageShape<D>,
): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(JSON.stringify(messageJson(desc, message)));
}

/**
 * Read a message from protobuf JSON.
 *
 * @throws EdgeError `bad-request` unknown field, wrong type
 */
export function readMessage<D extends DescMessage>(desc: D, json: unknown): MessageShape<D> {
  try {
    return fromJson(desc, json as JsonValue);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new EdgeError("bad-request", `the body is not ${desc.typeName} as protobuf JSON: ${found}`, {
      cause,
    });
  }
}
