import { ItemState, JobSchema, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { ListJobItemsResponseSchema, ListJobsResponseSchema } from "@cytomesh/contracts/jobs/v1/job_service";
import { JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { EdgeError } from "../../edge/errors.ts";
import { inCall } from "../request-context.ts";
import type { RestRoom } from "../room.ts";
import { readMessage, sendMessage } from "./messages.ts";
import { numberParameter, pageParameters, parseQuery, repeated } from "./query.ts";

/** A path with the id of a job. */
export interface ById {
  Params: { id: string };
}

/** States by name, with or without the prefix of the enum: `RUNNING`, `JOB_STATE_RUNNING`. */
function stateParameter<V extends number>(states: Readonly<Record<string, V>>, prefix: string) {
  const names = Object.keys(states).filter((name) => name !== "UNSPECIFIED");
  return repeated.transform((texts, context) =>
    texts.map((text) => {
      const state = states[text.toUpperCase().replace(prefix, "")];
      if (state !== undefined && state !== 0) return state;
      context.issues.push({ code: "custom", message: `expected one of ${names.join(", ")}`, input: text });
      return z.NEVER;
    }),
  );
}

const listQuery = { ...pageParameters, state: stateParameter(JobState, "JOB_STATE_"), kind: repeated };
const itemsQuery = { ...pageParameters, state: stateParameter(ItemState, "ITEM_STATE_") };
const createQuery = {
  after: repeated,
  max_attempts: numberParameter({ min: 1, max: 100, whole: true }).optional(),
};

const maxKeyLength = 200;

/** Jobs: create, look, cancel. */
export function addV1Jobs(app: FastifyInstance, { clients: { jobs } }: RestRoom): void {
  app.get("/v1/jobs", (request, reply) =>
    inCall(request, async () => {
      const {
        page_size: pageSize = 0,
        page_token: pageToken = "",
        state,
        kind,
      } = parseQuery(listQuery, request.query);
      const page = await jobs.listJobs({ pageSize, pageToken, states: state, kinds: kind });
      return sendMessage(reply, ListJobsResponseSchema, page);
    }),
  );

  app.post("/v1/jobs", (request, reply) =>
    inCall(request, async () => {
      const { after, max_attempts: maxAttempts = 0 } = parseQuery(createQuery, request.query);
      const spec = readMessage(JobSpecSchema, request.body ?? {});
      const key = request.headers["idempotency-key"];
      if (Array.isArray(key) || (key?.length ?? 0) > maxKeyLength)
        throw new EdgeError(
          "bad-request",
          `expected one Idempotency-Key of at most ${maxKeyLength} characters`,
        );
      const { job, created } = await jobs.createJob({ spec, idempotencyKey: key ?? "", after, maxAttempts });
      if (job === undefined)
        throw new EdgeError("bad-answer", "the job service did not say which job it made");
      reply.code(created ? 201 : 200).header("location", `/v1/jobs/${job.id}`);
      return sendMessage(reply, JobSchema, job);
    }),
  );

  app.get<ById>("/v1/jobs/:id", (request, reply) =>
    inCall(request, async () => {
      parseQuery({}, request.query);
      const { job } = await jobs.getJob({ id: request.params.id });
      return sendMessage(reply, JobSchema, known(job, request.params.id));
    }),
  );

  app.get<ById>("/v1/jobs/:id/items", (request, reply) =>
    inCall(request, async () => {
      const {
        page_size: pageSize = 0,
        page_token: pageToken = "",
        state,
      } = parseQuery(itemsQuery, request.query);
      const page = await jobs.listJobItems({ jobId: request.params.id, pageSize, pageToken, states: state });
      return sendMessage(reply, ListJobItemsResponseSchema, page);
    }),
  );

  app.post<ById>("/v1/jobs/:id/cancel", (request, reply) =>
    inCall(request, async () => {
      const { job } = await jobs.cancelJob({ id: request.params.id });
      return sendMessage(reply, JobSchema, known(job, request.params.id));
    }),
  );
}

function known<T>(answer: T | undefined, id: string): T {
  if (answer === undefined) throw new EdgeError("bad-answer", `the job service has no answer about ${id}`);
  return answer;
}
