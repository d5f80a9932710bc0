import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { EdgeError } from "../../edge/errors.ts";
import { matchesEtag } from "../ontologies.ts";
import { compareVersions } from "../pep440.ts";
import { contextOf, inCall } from "../request-context.ts";
import { allPages, type ServedModel } from "../resources.ts";
import { type RestRoom, votedColumn } from "../room.ts";

const prefix = "/api/cellarium-general";

/**
 * The quota of a mesh without user accounts: there is none. The lifetime fields have a word for that, null, which clients print as
 * "unlimited". The weekly fields must be numbers, which clients compare with the number of cells: the largest integer that JSON
 * readers keep exact stands for "no limit", the same in both fields, because nothing is ever used up. The date on which they are
 * filled again is the last one that every reader can hold. `quota_increased` keeps clients from offering to ask for more.
 */
export const noQuota = {
  user_id: 0,
  weekly_quota: Number.MAX_SAFE_INTEGER,
  remaining_weekly_quota: Number.MAX_SAFE_INTEGER,
  quota_reset_date: "9999-12-31T00:00:00",
  lifetime_quota: null,
  remaining_lifetime_quota: null,
  quota_increased: true,
} as const;

const versionBody = z.object({ client_version: z.string() });

/** Endpoints about the server, its models and its schemas (reference: CAS 1.8, `/api/cellarium-general`). */
export function addCasGeneral(app: FastifyInstance, room: RestRoom): void {
  const { clients, resources, ontologies, version, minClientVersion } = room;

  const userOf = (name: string) => ({ username: name, email: "", should_ask_for_feedback: false });
  app.get(`${prefix}/validate-token`, async (request) =>
    userOf(contextOf(request).principal?.name ?? "local"),
  );
  // Nobody is asked for feedback here, so opting out changes nothing.
  app.post(`${prefix}/feedback/opt-out`, async (request) =>
    userOf(contextOf(request).principal?.name ?? "local"),
  );
  app.get(`${prefix}/quota`, async () => noQuota);

  app.post(`${prefix}/validate-client-version`, { config: { open: true } }, async (request) => {
    const body = versionBody.safeParse(request.body);
    if (!body.success)
      throw new EdgeError("bad-form", 'expected {"client_version": "<version>"}', {
        violations: [{ field: "client_version", description: "Field required" }],
      });
    const given = body.data.client_version;
    const order = compareVersions(given, minClientVersion);
    if (order === undefined)
      throw new EdgeError(
        "bad-request",
        `Client version ${given.slice(0, 200)} is not a valid version string`,
      );
    return { is_valid: order >= 0, min_version: minClientVersion };
  });

  app.get(`${prefix}/application-info`, { config: { open: true } }, (request) =>
    inCall(request, async () => {
      const chosen = (await resources.servedModels()).find(({ isDefault }) => isDefault);
      return { application_version: version, default_feature_schema: chosen?.model.featureSchema ?? "" };
    }),
  );

  app.get(`${prefix}/list-models`, (request) =>
    inCall(request, async () =>
      Promise.all((await resources.servedModels()).map((served) => listed(room, served))),
    ),
  );

  app.get(`${prefix}/feature-schemas`, (request) =>
    inCall(request, () =>
      allPages(async (pageToken) => {
        const { featureSchemas, nextPageToken } = await clients.catalog.listFeatureSchemas({
          pageSize: 500,
          pageToken,
        });
        return { items: featureSchemas.map(({ name }) => ({ schema_name: name })), nextPageToken };
      }),
    ),
  );

  app.get<{ Params: { name: string } }>(`${prefix}/feature-schema/:name`, (request) =>
    inCall(request, () => resources.featureIds(request.params.name)),
  );

  app.get<{ Params: { name: string } }>(`${prefix}/cell-ontology-resource/:name`, (request, reply) =>
    inCall(request, async () => {
      const { body, etag } = await ontologies.get(request.params.name);
      reply.header("etag", etag).header("cache-control", "public, max-age=86400");
      if (matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return reply.type("application/json; charset=utf-8").send(body);
    }),
  );
}

async function listed({ clients }: RestRoom, { model, index, isDefault }: ServedModel) {
  const ontology =
    index.ontology === ""
      ? undefined
      : (await clients.catalog.getOntology({ name: index.ontology })).ontology;
  return {
    model_name: model.name,
    description: model.description,
    schema_name: model.featureSchema,
    is_default_model: isDefault,
    embedding_dimension: model.dimension,
    ontological_columns:
      ontology === undefined
        ? []
        : [
            {
              ontology_resource_name: ontology.name,
              column_name: ontology.columnName || votedColumn,
              description: ontology.description,
            },
          ],
  };
}
