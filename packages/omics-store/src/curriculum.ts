import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { OmicsStoreError } from "./errors.ts";
import { MANIFEST } from "./files.ts";
import { parseManifest } from "./ingests.ts";
import type { CurriculumManifest, CurriculumRequest } from "./types.ts";

export const ASSIGNMENTS = "assignments.parquet";
export const FEATURES = "features.json";
export const MEASURED = "measured_genes.parquet";

const DEFAULT_CATEGORY_LIMIT = 2000;
const INT32_MAX = 2 ** 31 - 1;
const names = z
  .array(z.string())
  .refine((list) => new Set(list).size === list.length, "names must not repeat");

const requestSchema = z.object({
  filters: z.unknown(),
  features: z.array(z.string().min(1)).min(1, "the feature schema is empty"),
  binSize: z.number().int().min(1).max(INT32_MAX),
  binKeys: names.default([]),
  seed: z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER),
  obsColumns: names,
  categoryLimit: z.number().int().min(0).max(1_000_000).default(DEFAULT_CATEGORY_LIMIT),
});
export type CheckedRequest = z.infer<typeof requestSchema>;

/** Throws `invalid_request`; column names are checked later, against the ingests. */
export function parseRequest(request: CurriculumRequest): CheckedRequest {
  const parsed = requestSchema.safeParse(request);
  if (!parsed.success)
    throw new OmicsStoreError("invalid_request", `curriculum request: ${z.prettifyError(parsed.error)}`);
  const seen = new Set<string>();
  for (const feature of parsed.data.features) {
    if (seen.has(feature))
      throw new OmicsStoreError(
        "invalid_request",
        `feature ${JSON.stringify(feature)} is in the schema twice`,
      );
    seen.add(feature);
  }
  return parsed.data;
}

const count = z.number().int().min(0);
const manifestSchema = z.object({
  version: z.literal(1),
  cells: count,
  nnz: count,
  binSize: count,
  bins: z.array(
    z
      .object({ bin: count, cells: count, nnz: count, key: z.string().nullable().optional() })
      .transform(({ key, ...bin }) => (key === undefined ? bin : { ...bin, key })),
  ),
  lastBinCells: count,
  seed: z.number().int(),
  filters: z.record(z.string(), z.unknown()),
  binKeys: z.array(z.string()),
  categoryLimit: count,
  obsColumns: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["string", "int", "float", "bool"]),
      column: z.string(),
      nullable: z.boolean(),
      categorical: z.boolean(),
    }),
  ),
  categories: z.record(z.string(), z.array(z.string())),
  ingests: z.array(z.object({ ingestId: z.string(), cells: count, manifestSha256: z.string() })),
  features: z.object({ count, sha256: z.string() }),
  files: z.array(z.object({ name: z.string(), bytes: count, sha256: z.string() })),
  createdBy: z.string(),
});

/** Reads a curriculum's manifest. Throws `not_found` or `corrupt`. */
export async function readCurriculum(curriculumDir: string): Promise<CurriculumManifest> {
  const path = join(curriculumDir, MANIFEST);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new OmicsStoreError("not_found", `${curriculumDir} is no curriculum: ${MANIFEST} cannot be read`, {
      cause,
    });
  });
  return parseManifest(path, text, manifestSchema);
}

/** The ordered feature schema of a curriculum. Throws `corrupt`. */
export async function readFeatures(curriculumDir: string): Promise<string[]> {
  const path = join(curriculumDir, FEATURES);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new OmicsStoreError("corrupt", `${path} cannot be read`, { cause });
  });
  return parseManifest(path, text, z.array(z.string()));
}
