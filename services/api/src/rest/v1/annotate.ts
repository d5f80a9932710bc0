import type {
  AnswerOrigin,
  CellAnnotation,
  OntologyMatch,
  SummaryMatch,
} from "@cytomesh/contracts/inference/v1/inference_service";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { EdgeError } from "../../edge/errors.ts";
import { annotateUpload, type Strategy } from "../inference.ts";
import { finiteJson } from "../json-stream.ts";
import type { RestRoom } from "../room.ts";
import type { OpenUpload } from "../upload/open-upload.ts";
import { numberParameter, parseQuery, repeated } from "./query.ts";

const strategies = ["summary-statistics", "ontology-aware"] as const;

const name = z.string().min(1).max(127).optional();

/** Query parameters of `POST /v1/annotate`. */
const query = {
  index: name,
  model: name,
  strategy: z.enum(strategies).default("summary-statistics"),
  neighbors: numberParameter({ min: 1, max: 10_000, whole: true }).optional(),
  filter: repeated,
  prune_threshold: numberParameter({ min: 0, max: 1 }).default(0.05),
  weighting_prefactor: numberParameter({ min: 0, max: 1_000 }).default(1),
  min_score: numberParameter({ min: 0, max: 1 }).default(0.2),
};

/** The call of a cell. */
interface BestCall {
  readonly cellType: string;
  readonly cellTypeOntologyTermId?: string;
  readonly score: number;
}

/** `column=value` parts by column: values of one column are alternatives, columns must all hold. */
function filtersOf(parts: readonly string[]): { column: string; values: string[] }[] {
  const byColumn = new Map<string, string[]>();
  for (const part of parts) {
    const at = part.indexOf("=");
    if (at < 1)
      throw new EdgeError(
        "bad-request",
        `filter: expected column=value, found ${JSON.stringify(part.slice(0, 200))}`,
      );
    const column = part.slice(0, at);
    byColumn.set(column, [...(byColumn.get(column) ?? []), part.slice(at + 1)]);
  }
  return [...byColumn].map(([column, values]) => ({ column, values }));
}

/** The most frequent label, with its share of the neighbours. */
function majority(matches: readonly SummaryMatch[]): BestCall | null {
  const total = matches.reduce((sum, match) => sum + match.cellCount, 0);
  const first = matches[0];
  return first === undefined || total === 0
    ? null
    : { cellType: first.cellType, score: first.cellCount / total };
}

/** Of the terms that score enough the deepest, and of those the best. */
function mostGranular(
  matches: readonly OntologyMatch[],
  depths: ReadonlyMap<string, number>,
  minScore: number,
): BestCall | null {
  let best: { match: OntologyMatch; depth: number } | undefined;
  for (const match of matches) {
    if (match.score < minScore) continue;
    const depth = depths.get(match.cellTypeOntologyTermId) ?? -1;
    if (best === undefined || depth > best.depth || (depth === best.depth && match.score > best.match.score))
      best = { match, depth };
  }
  if (best === undefined) return null;
  const { cellType, cellTypeOntologyTermId, score } = best.match;
  return { cellType, cellTypeOntologyTermId, score };
}

/** The fields of a flat message. */
function withoutType<M extends { $typeName: string; $unknown?: unknown }>(message: M) {
  const { $typeName: _, $unknown: __, ...fields } = message;
  return fields;
}

function summaryOf(cell: CellAnnotation) {
  return {
    cellId: cell.queryCellId,
    best: majority(cell.summaryMatches),
    matches: cell.summaryMatches.map(withoutType),
  };
}

function ontologyOf(cell: CellAnnotation, best: BestCall | null) {
  return {
    cellId: cell.queryCellId,
    best,
    matches: cell.ontologyMatches.map(withoutType),
    totalWeight: cell.totalWeight,
    totalNeighbors: cell.totalNeighbors,
    totalNeighborsUnrecognized: cell.totalNeighborsUnrecognized,
  };
}

function originOf(origin: AnswerOrigin, upload: OpenUpload) {
  const { index, indexSha256, model, modelSha256 } = origin;
  const { modelGenes = 0 } = origin.overlap ?? {};
  const { genes, sharedGenes, idsFrom } = upload.header;
  return {
    index,
    indexSha256,
    model,
    modelSha256,
    genes: { inModel: modelGenes, inFile: genes, shared: sharedGenes, idsFrom },
  };
}

/** Annotate a file, with all that the answer rests on. */
export function addV1Annotate(app: FastifyInstance, room: RestRoom): void {
  const { clients, resources, ontologies } = room;
  app.post("/v1/annotate", (request, reply) => {
    const asked = parseQuery(query, request.query);
    const filters = filtersOf(asked.filter);
    return room.answerUpload(request, reply, {
      async resolve() {
        const target = await resources.target(asked);
        if (asked.strategy !== "ontology-aware") return { target, depths: new Map<string, number>() };
        await room.requireOntology(target);
        return { target, depths: (await ontologies.get(target.index.ontology)).depths };
      },
      schema: ({ target }) => resources.featureIds(target.model.featureSchema),
      async *answer(upload, { target, depths }, signal) {
        if (upload.header.cells === 0) throw new EdgeError("bad-upload", "the file has no cells");
        const search = {
          index: target.index.name,
          model: target.model.name,
          neighbors: asked.neighbors ?? 0,
          filters,
        };
        const aware = asked.strategy === "ontology-aware";
        const strategy: Strategy = aware
          ? {
              case: "ontologyAware",
              value: { pruneThreshold: asked.prune_threshold, weightingPrefactor: asked.weighting_prefactor },
            }
          : { case: "summaryStatistics", value: {} };
        let opened = false;
        let separator = "";
        for await (const { origin, answers } of annotateUpload(
          clients,
          { search, strategy },
          upload,
          signal,
        )) {
          if (!opened) {
            if (origin === undefined)
              throw new EdgeError("bad-answer", "the first answer does not say what it rests on");
            yield `{"origin":${finiteJson(originOf(origin, upload))},"strategy":"${asked.strategy}","cells":[`;
            opened = true;
          }
          for (const cell of answers) {
            const best = aware ? mostGranular(cell.ontologyMatches, depths, asked.min_score) : null;
            yield separator + finiteJson(aware ? ontologyOf(cell, best) : summaryOf(cell));
            separator = ",";
          }
        }
        yield "]}";
      },
    });
  });
}
