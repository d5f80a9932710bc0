import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { EdgeError } from "../edge/errors.ts";
import { casErrorOf, failureOf, problemOf, retryAfterSeconds } from "./failures.ts";
import { contextOf } from "./request-context.ts";

function isCas(request: FastifyRequest): boolean {
  return /^\/+api\//.test(request.url);
}

/** Answer an error in the words of the API that was called. */
export function answerError(request: FastifyRequest, reply: FastifyReply, reason: unknown): FastifyReply {
  const failure = failureOf(reason);
  const { traceId, requestId } = contextOf(request);
  if (failure.internal) request.log.error({ err: reason, requestId, traceId }, "failed");
  else request.log.info({ reason: failure.detail, tag: failure.tag, requestId, traceId }, "refused");
  const cas = isCas(request) ? casErrorOf(failure) : undefined;
  const status = cas?.status ?? failure.status;
  if (failure.transient) reply.header("retry-after", String(retryAfterSeconds));
  if (status === 401 && !reply.hasHeader("www-authenticate")) reply.header("www-authenticate", "Bearer");
  reply.code(status);
  return cas === undefined
    ? reply.type("application/problem+json").send(problemOf(failure, traceId))
    : reply.type("application/json; charset=utf-8").send(cas.body);
}

/** Install the answers to errors and to paths that do not exist. */
export function addErrorAnswers(app: FastifyInstance): void {
  app.setErrorHandler((reason, request, reply) => answerError(request, reply, reason));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0]?.slice(0, 200);
    const detail = isCas(request) ? "Not Found" : `there is no ${request.method} ${path}; see /docs`;
    return answerError(request, reply, new EdgeError("not-found", detail));
  });
}
