import type { CellAnnotation } from "@cytomesh/contracts/inference/v1/inference_service";
import { compileOntology, type Ontology, type OntologyResource } from "@cytomesh/ontology";
import { granularCaller } from "../annotate/granular-call.ts";
import { annotateOverGrpc, type Call, majorityCall, type Strategy } from "../annotate/grpc.ts";
import { openQuery } from "../annotate/query-file.ts";
import type { MeshClient } from "../client.ts";
import { CliError } from "../errors.ts";
import { formatCount, formatSeconds } from "../terminal/text.ts";
import type { DemoNames } from "./jobs.ts";
import type { DemoQuery } from "./plan.ts";
import { annotateOverRest, restMajority, restOntologyMatches } from "./rest.ts";
import { confusionTable, type Score, scoreCalls } from "./score.ts";

/** What came of one query under one strategy. */
export interface QueryResult {
  readonly query: string;
  readonly strategy: Strategy;
  readonly cells: number;
  readonly score: Score | undefined;
  readonly confusion: string | undefined;
  readonly restMs: number;
  readonly grpcMs: number;
  /** Ids of the cells and what they were called, in the order of the file. */
  readonly cellIds: readonly string[];
  readonly calls: readonly Call[];
}

/** Annotate a query through REST and through gRPC, and hold the two answers against each other. */
export async function annotateQuery(
  mesh: MeshClient,
  httpUrl: string,
  query: DemoQuery,
  names: DemoNames,
  resource: OntologyResource | undefined,
  signal: AbortSignal,
): Promise<QueryResult[]> {
  const strategies: Strategy[] =
    resource === undefined ? ["summary-statistics"] : ["summary-statistics", "ontology-aware"];
  const ontology = resource === undefined ? undefined : compileOntology(resource);
  const results: QueryResult[] = [];
  for (const strategy of strategies) {
    const call: (cell: CellAnnotation) => Call =
      strategy === "ontology-aware" ? granularCaller(resource as OntologyResource) : majorityCall;
    const restBegan = Date.now();
    const rest = await annotateOverRest(httpUrl, query.path, { strategy, model: names.model, signal });
    const restMs = Date.now() - restBegan;
    const file = await openQuery(query.path);
    const grpcBegan = Date.now();
    const asked = { strategy, index: names.index, signal };
    const grpc = await annotateOverGrpc(mesh, file, asked, (cell) => ({
      id: cell.queryCellId,
      call: call(cell),
    })).finally(() => file.close());
    const grpcMs = Date.now() - grpcBegan;
    const calls = grpc.cells.map((cell) => cell.call);
    const restCalls = rest.map((answer) =>
      strategy === "ontology-aware"
        ? call({ ontologyMatches: restOntologyMatches(answer) } as CellAnnotation)
        : restMajority(answer),
    );
    requireEqual(calls, restCalls, strategy);
    results.push({
      query: query.path,
      strategy,
      cells: calls.length,
      ...judge(calls, query, ontology),
      restMs,
      grpcMs,
      cellIds: grpc.cells.map((cell) => cell.id),
      calls,
    });
  }
  return results;
}

function judge(calls: readonly Call[], query: DemoQuery, ontology: Ontology | undefined) {
  if (query.truth === undefined) return { score: undefined, confusion: undefined };
  return { score: scoreCalls(calls, query.truth, ontology), confusion: confusionTable(calls, query.truth) };
}

function requireEqual(grpc: readonly Call[], rest: readonly Call[], strategy: Strategy): void {
  const differing = grpc.filter((call, i) => call.label !== rest[i]?.label).length;
  if (grpc.length !== rest.length || differing > 0)
    throw new CliError(
      "failed",
      `REST and gRPC disagree under ${strategy}: ${grpc.length} and ${rest.length} cells, ${differing} with another label; please report this`,
    );
}

/** One line about a result. */
export function resultLine(result: QueryResult): string {
  const { score } = result;
  const share = (part: number) => `${((100 * part) / Math.max(1, score?.cells ?? 0)).toFixed(1)} %`;
  const accuracy =
    score === undefined || score.cells === 0
      ? "no truth to compare with"
      : `${share(score.compatible)} right (${share(score.exact)} with the exact label)`;
  return `${result.strategy.padEnd(18)} ${formatCount(result.cells)} cells  ${accuracy}  REST ${formatSeconds(result.restMs)}, gRPC ${formatSeconds(result.grpcMs)}`;
}
