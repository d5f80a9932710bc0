import type { FastifyInstance, FastifyRequest } from "fastify";
import { EdgeError } from "../../edge/errors.ts";
import { annotateUpload, searchUpload } from "../inference.ts";
import { finiteJson, jsonArray } from "../json-stream.ts";
import type { ServedModel } from "../resources.ts";
import type { RestRoom } from "../room.ts";
import type { OpenUpload } from "../upload/open-upload.ts";
import { missing } from "../upload/receive.ts";
import { neighborsCell, ontologyCell, summaryCell } from "./shapes.ts";

type Fields = ReadonlyMap<string, string>;
type Target = Omit<ServedModel, "isDefault">;

/** What the client sends when its caller does not choose. */
const defaults = { pruneThreshold: 0.05, weightingPrefactor: 1 };

function numberField(fields: Fields, name: string, fallback: number): number {
  const text = fields.get(name)?.trim();
  if (text === undefined) return fallback;
  const value = text === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  const description = `expected a finite number, found ${JSON.stringify(text.slice(0, 100))}`;
  throw new EdgeError("bad-form", `${name}: ${description}`, { violations: [{ field: name, description }] });
}

/** Endpoints that take an AnnData file and answer per cell (reference: CAS 1.8, `/api/cellarium-cell-operations`). */
export function addCasOperations(app: FastifyInstance, room: RestRoom): void {
  const { clients, resources } = room;

  const modelOf = async (fields: Fields): Promise<Target> => {
    const name = fields.get("model_name");
    if (name === undefined) throw missing("model_name");
    return resources.target({ model: name });
  };

  const post = <T extends { target: Target }>(
    path: string,
    resolve: (fields: Fields) => Promise<T>,
    cells: (upload: OpenUpload, asked: T, signal: AbortSignal) => AsyncGenerator<string>,
  ) =>
    app.post(`/api/cellarium-cell-operations/${path}`, (request: FastifyRequest, reply) =>
      room.answerUpload(request, reply, {
        resolve,
        schema: ({ target }) => resources.featureIds(target.model.featureSchema),
        answer: (upload, asked, signal) =>
          jsonArray(upload.header.cells === 0 ? none() : cells(upload, asked, signal)),
      }),
    );

  post(
    "annotate-cell-type-summary-statistics-strategy",
    async (fields) => ({ target: await modelOf(fields) }),
    async function* (upload, { target }, signal) {
      const strategy = { case: "summaryStatistics", value: {} } as const;
      const batches = annotateUpload(clients, { search: searchOf(target), strategy }, upload, signal);
      for await (const { answers } of batches)
        for (const cell of answers) yield finiteJson(summaryCell(cell));
    },
  );

  post(
    "annotate-cell-type-ontology-aware-strategy",
    async (fields) => {
      const value = {
        pruneThreshold: numberField(fields, "prune_threshold", defaults.pruneThreshold),
        weightingPrefactor: numberField(fields, "weighting_prefactor", defaults.weightingPrefactor),
      };
      const target = await modelOf(fields);
      await room.requireOntology(target, fields.get("ontology_column_name"));
      return { target, strategy: { case: "ontologyAware", value } as const };
    },
    async function* (upload, { target, strategy }, signal) {
      const batches = annotateUpload(clients, { search: searchOf(target), strategy }, upload, signal);
      for await (const { answers } of batches)
        for (const cell of answers) yield finiteJson(ontologyCell(cell));
    },
  );

  post(
    "nearest-neighbor-search",
    async (fields) => ({ target: await modelOf(fields) }),
    async function* (upload, { target }, signal) {
      const batches = searchUpload(clients, searchOf(target), upload, signal);
      for await (const { answers } of batches)
        for (const cell of answers) yield finiteJson(neighborsCell(cell));
    },
  );
}

const searchOf = ({ index, model }: Target) => ({ index: index.name, model: model.name });

async function* none(): AsyncGenerator<string> {}
