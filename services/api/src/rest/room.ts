import type { FastifyReply, FastifyRequest } from "fastify";
import { EdgeError } from "../edge/errors.ts";
import type { RestDeps } from "./deps.ts";
import { sendJsonStream } from "./json-stream.ts";
import { createOntologies, type Ontologies } from "./ontologies.ts";
import { contextOf, inCall } from "./request-context.ts";
import { createResources, type Resources, type ServedModel } from "./resources.ts";
import { createProcessUpload, type UploadPlan } from "./upload/process.ts";

/** What the routes share. */
export interface RestRoom extends RestDeps {
  readonly resources: Resources;
  readonly ontologies: Ontologies;
  /** Aborts when the app closes: event streams end. */
  readonly closing: AbortSignal;
  /** Take the upload of a request through a plan and send the answer as it is made. */
  answerUpload<T>(request: FastifyRequest, reply: FastifyReply, plan: UploadPlan<T>): Promise<FastifyReply>;
  /**
   * Check that a model's index can vote over an ontology.
   *
   * @throws EdgeError `bad-request`
   */
  requireOntology(target: Omit<ServedModel, "isDefault">, column?: string): Promise<void>;
}

const defaultStallTimeoutMs = 60_000;

/** The obs column that voting reads. */
export const votedColumn = "cell_type";

/** Make what the routes share. */
export function createRoom(deps: RestDeps, closing: AbortSignal): RestRoom {
  const processUpload = createProcessUpload(deps);
  const { limits } = deps;
  const stallTimeoutMs = limits.stallTimeoutMs ?? defaultStallTimeoutMs;
  return {
    ...deps,
    closing,
    resources: createResources(deps.clients),
    ontologies: createOntologies(deps),
    answerUpload: (request, reply, plan) =>
      inCall(
        request,
        () => {
          // Nobody asks the answer to go on, so its parts would wait where they are: closing the connection lets go of them.
          const onStall = (reason: EdgeError) => {
            contextOf(request).abort(reason);
            reply.raw.destroy();
          };
          return sendJsonStream(reply, processUpload(request, plan), { stallTimeoutMs, onStall });
        },
        { timeoutMs: limits.requestTimeoutMs },
      ),
    async requireOntology({ model, index }, column) {
      const configured =
        index.ontology === ""
          ? undefined
          : (await deps.clients.catalog.getOntology({ name: index.ontology })).ontology?.columnName ||
            votedColumn;
      const wanted = column ?? configured ?? votedColumn;
      if (configured === undefined || wanted !== configured)
        throw new EdgeError(
          "bad-request",
          `Model '${model.name}' does not have a configured ontology resource for '${wanted}'.`,
        );
    },
  };
}
