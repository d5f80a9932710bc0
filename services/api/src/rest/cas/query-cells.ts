import type { JsonValue } from "@bufbuild/protobuf";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { EdgeError } from "../../edge/errors.ts";
import { inCall } from "../request-context.ts";
import type { RestRoom } from "../room.ts";

const texts = [
  "cell_type",
  "assay",
  "disease",
  "donor_id",
  "development_stage",
  "organism",
  "self_reported_ethnicity",
  "sex",
  "suspension_type",
  "tissue",
  "cell_type_ontology_term_id",
  "assay_ontology_term_id",
  "disease_ontology_term_id",
  "development_stage_ontology_term_id",
  "organism_ontology_term_id",
  "self_reported_ethnicity_ontology_term_id",
  "sex_ontology_term_id",
  "tissue_ontology_term_id",
] as const;

/** Every field of a cell; clients cannot parse an answer that lacks one, or has null in one, whatever they asked for. */
export const cellFields: readonly string[] = [
  "cas_cell_index",
  ...texts,
  "is_primary_data",
  "total_mrna_umis",
];

const maxIds = 20_000;
/** Cells asked for at a time, so that an answer fits one message even when obs is wide. */
const idsPerCall = 2_000;

const bodyShape = z.object({
  cas_cell_ids: z.array(z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)),
  metadata_feature_names: z.array(z.string()).nullish(),
});

type Obs = Readonly<Record<string, JsonValue>>;

function textOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A cell as clients parse it: what the warehouse does not know is "", false or 0. */
export function casCell(cellId: bigint, obs: Obs) {
  const total = Number(obs.total_mrna_umis ?? 0);
  const primary = obs.is_primary_data;
  return {
    cas_cell_index: Number(cellId),
    ...Object.fromEntries(texts.map((name) => [name, textOf(obs[name])])),
    is_primary_data: primary === true || /^true$/i.test(textOf(primary)),
    total_mrna_umis: Number.isFinite(total) ? Math.round(total) : 0,
  };
}

/** Look up reference cells by id. Ids are those of the dataset that the default model's index was built from. */
export function addCasQueryCells(app: FastifyInstance, room: RestRoom): void {
  const { clients, resources } = room;

  /** The dataset behind an index. Nothing in this chain ever changes, so answers are kept. */
  const datasets = new Map<string, string>();
  const datasetOf = async (embedding: string): Promise<string> => {
    const known = datasets.get(embedding);
    if (known !== undefined) return known;
    const curriculum = (await clients.catalog.getEmbedding({ name: embedding })).embedding?.curriculum ?? "";
    const dataset = (await clients.catalog.getCurriculum({ name: curriculum })).curriculum?.dataset ?? "";
    datasets.set(embedding, dataset);
    return dataset;
  };

  app.post("/api/cellarium-cell-operations/query-cells-by-ids", (request) =>
    inCall(request, async () => {
      const body = bodyShape.safeParse(request.body);
      if (!body.success)
        throw new EdgeError("bad-form", "expected cas_cell_ids, a list of ids", {
          violations: body.error.issues.map(({ path, message }) => ({
            field: path.join("."),
            description: message,
          })),
        });
      const { cas_cell_ids: ids, metadata_feature_names: names } = body.data;
      const unknown = names?.find((name) => !cellFields.includes(name));
      if (unknown !== undefined)
        throw new EdgeError(
          "bad-request",
          `Feature ${unknown.slice(0, 200)} is not available for querying. Please specify any of the following: ${cellFields.join(", ")}`,
        );
      if (ids.length > maxIds)
        throw new EdgeError(
          "bad-request",
          `${ids.length} ids were asked for, at most ${maxIds} fit one request`,
        );
      if (ids.length === 0) return [];
      const dataset = await datasetOf((await resources.target({})).index.embedding);
      const cells = [];
      for (let start = 0; start < ids.length; start += idsPerCall) {
        const cellIds = ids.slice(start, start + idsPerCall).map(BigInt);
        const answer = await clients.extract.getCells({ dataset, cellIds });
        cells.push(...answer.cells.map(({ cellId, obs }) => casCell(cellId, (obs ?? {}) as Obs)));
      }
      return cells;
    }),
  );
}
