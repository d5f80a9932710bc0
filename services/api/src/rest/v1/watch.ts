import { once } from "node:events";
import { type Job, JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import type { FastifyInstance, FastifyReply } from "fastify";
import { EdgeError } from "../../edge/errors.ts";
import { failureOf, problemOf } from "../failures.ts";
import { contextOf, inCall } from "../request-context.ts";
import type { RestRoom } from "../room.ts";
import type { ById } from "./jobs.ts";
import { messageJson } from "./messages.ts";

/** A comment this often keeps proxies from closing a quiet stream. */
const heartbeatMs = 15_000;

type Write = (text: string) => Promise<void>;

/** A job as server-sent events: `job` now and after every change, `end` when it has ended, `error` when the watch broke. */
export function addV1Watch(app: FastifyInstance, { clients: { jobs }, closing }: RestRoom): void {
  app.get<ById>("/v1/jobs/:id/watch", { exposeHeadRoute: false }, (request, reply) => {
    const { signal: gone, traceId } = contextOf(request);
    const signal = AbortSignal.any([gone, closing]);
    return inCall(
      request,
      async () => {
        const changes = jobs.watchJob({ id: request.params.id }, { signal })[Symbol.asyncIterator]();
        // The first answer decides about the status: a job that does not exist is a plain 404.
        const first = await changes.next();
        if (first.done === true || first.value.job === undefined)
          throw new EdgeError("bad-answer", "the job service ended the watch before it began");
        const write = openEventStream(reply);
        const heartbeat = setInterval(
          () => void write(": still here\n\n").catch(() => undefined),
          heartbeatMs,
        );
        try {
          await write(jobEvent(first.value.job));
          for (let step = await changes.next(); step.done !== true; step = await changes.next())
            if (step.value.job !== undefined) await write(jobEvent(step.value.job));
          await write("event: end\ndata: {}\n\n");
        } catch (reason) {
          if (!signal.aborted) {
            const problem = problemOf(failureOf(reason), traceId);
            await write(`event: error\ndata: ${JSON.stringify(problem)}\n\n`).catch(() => undefined);
          }
        } finally {
          clearInterval(heartbeat);
          await changes.return?.();
          reply.raw.end();
        }
        return reply;
      },
      { timeoutMs: undefined, signal },
    );
  });
}

function jobEvent(job: Job): string {
  return `event: job\nid: ${job.revision}\ndata: ${JSON.stringify(messageJson(JobSchema, job))}\n\n`;
}

/** Take the answer over from Fastify, its headers included. */
function openEventStream(reply: FastifyReply): Write {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...reply.getHeaders(),
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  } as Record<string, string>);
  return async (text) => {
    if (raw.destroyed || raw.writableEnded) return;
    if (!raw.write(text)) await Promise.race([once(raw, "drain"), once(raw, "close")]);
  };
}
