import { sha256Hex } from "@cytomesh/object-store";
import { pickColumns } from "./cell-query.ts";
import { type CheckedRequest, parseRequest } from "./curriculum.ts";
import { type Filter, parseFilters } from "./filters.ts";
import { type Ingest, openIngests, unifiedColumns } from "./ingests.ts";
import type { ColumnType, CurriculumRequest } from "./types.ts";

/** A curriculum request, checked against its ingests. */
export interface Plan {
  ingests: Ingest[];
  columns: ColumnType[];
  request: CheckedRequest;
  filters: Filter[];
  /** Obs columns, then key columns that are not among them. */
  wanted: ColumnType[];
  keys: number[];
}

/** Throws what `prepareCurriculum` throws for wrong requests. */
export async function planCurriculum(ingestDirs: string[], asked: CurriculumRequest): Promise<Plan> {
  const request = parseRequest(asked);
  const ingests = await openIngests(ingestDirs);
  const columns = unifiedColumns(ingests);
  const filters = parseFilters(request.filters, columns);
  pickColumns(request.binKeys, columns, "binKeys");
  const names = [...new Set([...request.obsColumns, ...request.binKeys])];
  const wanted = pickColumns(names, columns, "obsColumns");
  const keys = request.binKeys.map((key) => names.indexOf(key));
  return { ingests, columns, request, filters, wanted, keys };
}

/** What a manifest says about its request: equal for equal requests on equal ingests. */
export function identity(plan: Plan) {
  const { request, filters, ingests } = plan;
  return {
    binSize: request.binSize,
    seed: request.seed,
    filters: Object.fromEntries(
      filters.map((f) => [
        `${f.column}__${f.op}`,
        f.op === "in" || f.op === "not_in" ? f.values : f.values[0],
      ]),
    ),
    binKeys: request.binKeys,
    categoryLimit: request.categoryLimit,
    ingests: ingests.map(({ manifest, manifestSha256 }) => ({
      ingestId: manifest.ingestId,
      cells: manifest.cells,
      manifestSha256,
    })),
    features: { count: request.features.length, sha256: sha256Hex(featuresText(request.features)) },
  };
}

/** The bytes of features.json, as writeJson makes them. */
const featuresText = (features: readonly string[]): string => `${JSON.stringify(features, null, 1)}\n`;
