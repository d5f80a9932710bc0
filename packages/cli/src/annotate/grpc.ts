import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AnnotateHeaderSchema,
  AnnotateRequestSchema,
  AnswerOrigin,
  CellAnnotation,
} from "@cytomesh/contracts/inference/v1/inference_service";
import type { MeshClient } from "../client.ts";
import type { QueryFile } from "./query-file.ts";

/** How to vote. */
export type Strategy = "summary-statistics" | "ontology-aware";

/** What an annotation asks for besides the cells. */
export interface AnnotateOptions {
  readonly strategy: Strategy;
  readonly index?: string | undefined;
  readonly model?: string | undefined;
  readonly neighbors?: number | undefined;
  readonly pruneThreshold?: number;
  readonly weightingPrefactor?: number;
  readonly signal: AbortSignal;
  onCells?(done: number): void;
}

/** What was taken of every cell, in the order of the file, with what the answer rests on. */
export interface Annotated<T> {
  readonly origin: AnswerOrigin | undefined;
  readonly cells: T[];
}

/** Defaults of the annotation API that users know. */
const defaults = { pruneThreshold: 0.05, weightingPrefactor: 1 };

/**
 * Annotate a file over gRPC: rows go out and answers come in on one stream. Of every answer only what `take` makes of it is kept, as a cell
 * may have thousands of scored terms.
 */
export async function annotateOverGrpc<T>(
  mesh: MeshClient,
  query: QueryFile,
  options: AnnotateOptions,
  take: (cell: CellAnnotation) => T,
): Promise<Annotated<T>> {
  const cells: T[] = [];
  let origin: AnswerOrigin | undefined;
  for await (const response of mesh.inference.annotate(requests(query, options), {
    signal: options.signal,
  })) {
    origin ??= response.origin;
    for (const cell of response.annotations) cells.push(take(cell));
    options.onCells?.(cells.length);
  }
  return { origin, cells };
}

async function* requests(
  query: QueryFile,
  options: AnnotateOptions,
): AsyncGenerator<MessageInitShape<typeof AnnotateRequestSchema>> {
  const search = {
    index: options.index ?? "",
    model: options.model ?? "",
    featureIds: query.featureIds,
    neighbors: options.neighbors ?? 0,
  };
  const strategy: NonNullable<MessageInitShape<typeof AnnotateHeaderSchema>["strategy"]> =
    options.strategy === "summary-statistics"
      ? { case: "summaryStatistics", value: {} }
      : {
          case: "ontologyAware",
          value: {
            pruneThreshold: options.pruneThreshold ?? defaults.pruneThreshold,
            weightingPrefactor: options.weightingPrefactor ?? defaults.weightingPrefactor,
          },
        };
  yield { message: { case: "header", value: { search, strategy } } };
  for (const rows of query.batches()) yield { message: { case: "rows", value: rows } };
}

/** The call and its confidence, of one cell. */
export interface Call {
  readonly label: string;
  readonly termId: string;
  /** Share of the neighbours (summary statistics) or score of the term (ontology aware), 0 to 1. */
  readonly score: number;
}

/** The label that most neighbours have. */
export function majorityCall(cell: CellAnnotation): Call {
  const total = cell.summaryMatches.reduce((sum, match) => sum + match.cellCount, 0);
  const [first] = cell.summaryMatches;
  return first === undefined
    ? { label: "", termId: "", score: 0 }
    : { label: first.cellType, termId: "", score: first.cellCount / total };
}
