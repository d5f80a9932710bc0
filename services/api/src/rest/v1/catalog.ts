import {
  GetLineageResponseSchema,
  ListCurriculaResponseSchema,
  ListDatasetsResponseSchema,
  ListIndexesResponseSchema,
  ListModelsResponseSchema,
} from "@cytomesh/contracts/catalog/v1/catalog_service";
import type { FastifyInstance } from "fastify";
import { inCall } from "../request-context.ts";
import type { RestRoom } from "../room.ts";
import { sendMessage } from "./messages.ts";
import { pageParameters, parseQuery } from "./query.ts";

function pageOf(query: unknown): { pageSize: number; pageToken: string } {
  const { page_size: pageSize = 0, page_token: pageToken = "" } = parseQuery(pageParameters, query);
  return { pageSize, pageToken };
}

/** What the mesh holds, newest first, and what it rests on. */
export function addV1Catalog(app: FastifyInstance, { clients: { catalog } }: RestRoom): void {
  app.get("/v1/datasets", (request, reply) =>
    inCall(request, async () =>
      sendMessage(reply, ListDatasetsResponseSchema, await catalog.listDatasets(pageOf(request.query))),
    ),
  );
  app.get("/v1/curricula", (request, reply) =>
    inCall(request, async () =>
      sendMessage(reply, ListCurriculaResponseSchema, await catalog.listCurricula(pageOf(request.query))),
    ),
  );
  app.get("/v1/models", (request, reply) =>
    inCall(request, async () =>
      sendMessage(reply, ListModelsResponseSchema, await catalog.listModels(pageOf(request.query))),
    ),
  );
  app.get("/v1/indexes", (request, reply) =>
    inCall(request, async () =>
      sendMessage(reply, ListIndexesResponseSchema, await catalog.listIndexes(pageOf(request.query))),
    ),
  );
  app.get<{ Params: { kind: string; name: string } }>("/v1/lineage/:kind/:name", (request, reply) =>
    inCall(request, async () => {
      parseQuery({}, request.query);
      return sendMessage(reply, GetLineageResponseSchema, await catalog.getLineage(request.params));
    }),
  );
}
