import { randomBytes } from "node:crypto";
import { runInCall } from "@cytomesh/rpc";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Principal } from "../edge/authenticator.ts";
import { EdgeError } from "../edge/errors.ts";

/** What a request knows about itself. */
export interface RequestContext {
  /** 32 hex digits; on every answer as `x-trace-id`. */
  readonly traceId: string;
  /** Passed on to the services as `x-request-id`. */
  readonly requestId: string;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Give up on the request: what it does stops. */
  abort(reason: unknown): void;
  /** Who calls; set once the request is authenticated. */
  principal: Principal | undefined;
  readonly began: number;
}

const contexts = new WeakMap<FastifyRequest, RequestContext>();

/** The context of a request. */
export function contextOf(request: FastifyRequest): RequestContext {
  const context = contexts.get(request);
  if (context === undefined) throw new Error("the request has no context");
  return context;
}

/** Deadline of calls that answer from a database, in ms. */
const shortTimeoutMs = 30_000;

/** Run `fn` as part of a request: the services it calls get its id, its deadline and its cancellation. */
export function inCall<T>(
  request: FastifyRequest,
  fn: (signal: AbortSignal) => Promise<T>,
  o: { timeoutMs?: number | undefined; signal?: AbortSignal } = { timeoutMs: shortTimeoutMs },
): Promise<T> {
  const { requestId, signal: gone } = contextOf(request);
  const signal = o.signal ?? gone;
  const deadline = o.timeoutMs === undefined ? undefined : Date.now() + o.timeoutMs;
  return runInCall({ requestId, deadline, signal }, () => fn(signal));
}

/** Headers of a CAS client that come back as they were sent. */
const echoed = ["x-client-session-id", "x-client-action-id"];
const echoable = /^[\x21-\x7e]{1,200}$/;
const requestIdPattern = /^[\w.:-]{1,128}$/;
const traceparent = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

function text(value: string | string[] | undefined): string {
  return typeof value === "string" ? value : "";
}

/** Give every request its context and every answer its headers. */
export function addRequestContext(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => {
    const controller = new AbortController();
    const traceId =
      traceparent.exec(text(request.headers.traceparent))?.[1] ?? randomBytes(16).toString("hex");
    const given = text(request.headers["x-request-id"]);
    const requestId = requestIdPattern.test(given) ? given : traceId;
    contexts.set(request, {
      traceId,
      requestId,
      signal: controller.signal,
      abort: (reason) => controller.abort(reason),
      principal: undefined,
      began: performance.now(),
    });
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished)
        controller.abort(new EdgeError("client-gone", "the client closed the connection"));
    });
    setAnswerHeaders(request, reply, traceId, requestId);
  });
}

function setAnswerHeaders(
  request: FastifyRequest,
  reply: FastifyReply,
  traceId: string,
  requestId: string,
): void {
  reply
    .header("x-trace-id", traceId)
    .header("x-request-id", requestId)
    .header("x-content-type-options", "nosniff");
  for (const name of echoed) {
    const value = text(request.headers[name]);
    if (echoable.test(value)) reply.header(name, value);
  }
}
