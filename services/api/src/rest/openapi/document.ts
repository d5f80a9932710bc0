import { casEndpoints } from "./cas-endpoints.ts";
import { createMessageSchemas, type Schema } from "./message-schemas.ts";
import { type Endpoint, integer, list, record, text } from "./operations.ts";
import { otherEndpoints, v1Endpoints } from "./v1-endpoints.ts";

/** What the API is, from one list of endpoints. */
export interface ApiDescription {
  readonly endpoints: readonly Endpoint[];
  /** OpenAPI 3.1. */
  readonly document: Record<string, unknown>;
}

const problem: Schema = {
  ...record({ type: text, title: text, status: integer, detail: text, tag: text }),
  properties: {
    type: text,
    title: text,
    status: integer,
    detail: text,
    tag: { ...text, description: "Stable, in lower kebab case." },
    violations: list(record({ field: text, description: text })),
    traceId: { ...text, description: "As in x-trace-id." },
  },
};

const casError: Schema = record({
  detail: { anyOf: [text, list(record({ type: text, loc: list(text), msg: text }))] },
});

const errorTexts: Readonly<Record<number, string>> = {
  400: "The request cannot be done as it is.",
  401: "No token, or not one of this mesh.",
  404: "There is nothing of that name.",
  409: "It contradicts what is there.",
  413: "The upload is too large.",
  415: "Not a media type that is read here.",
  422: "A field is missing or of the wrong type.",
  429: "Too much was asked for.",
  500: "A fault of the mesh.",
  503: "Busy, stopping, or a service is away: try again after Retry-After seconds.",
};

function errorAnswers(endpoint: Endpoint): Record<string, unknown> {
  const cas = endpoint.path.startsWith("/api/");
  const statuses = [...(endpoint.errors ?? []), ...(endpoint.open === true ? [] : [401]), 500, 503];
  const content = cas
    ? { "application/json": { schema: { $ref: "#/components/schemas/CasError" } } }
    : { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return Object.fromEntries(
    statuses.map((status) => [String(status), { description: errorTexts[status] ?? "Error.", content }]),
  );
}

function operationOf(endpoint: Endpoint): Record<string, unknown> {
  const { tag, summary, description, body, answers, open = false } = endpoint;
  const inPath = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: text,
  }));
  const good = Object.entries(answers).map(([status, answer]) => [
    status,
    {
      description: answer.description,
      ...(answer.schema === undefined
        ? {}
        : { content: { [answer.type ?? "application/json"]: { schema: answer.schema } } }),
    },
  ]);
  const errors = tag === "Operation" ? {} : errorAnswers(endpoint);
  return {
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(open ? { security: [] } : {}),
    parameters: [...inPath, ...(endpoint.parameters ?? [])],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.required ?? false,
            content: { [body.type]: { schema: body.schema } },
          },
        }),
    responses: { ...errors, ...Object.fromEntries(good) },
  };
}

/** Describe the API. */
export function describeApi(version: string): ApiDescription {
  const schemas: Record<string, Schema> = { Problem: problem, CasError: casError };
  const endpoints = [...v1Endpoints(createMessageSchemas(schemas)), ...casEndpoints, ...otherEndpoints];
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of endpoints) {
    const path = paths[endpoint.path] ?? {};
    path[endpoint.method] = operationOf(endpoint);
    paths[endpoint.path] = path;
  }
  return {
    endpoints,
    document: {
      openapi: "3.1.0",
      info: {
        title: "Cytomesh",
        version,
        description:
          "REST of the mesh. Everything under /v1 also exists as gRPC, gRPC-Web and Connect. Every answer carries x-trace-id and x-request-id; /api answers carry x-client-session-id and x-client-action-id back.",
      },
      security: [{ token: [] }],
      paths,
      components: {
        securitySchemes: {
          token: {
            type: "http",
            scheme: "bearer",
            description: "One of CYTOMESH_API_TOKENS; a mesh without tokens asks for none.",
          },
        },
        schemas,
      },
    },
  };
}
