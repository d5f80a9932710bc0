import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { sha256Hex } from "@cytomesh/object-store";
import { z } from "zod";
import { OmicsStoreError } from "./errors.ts";
import { MANIFEST } from "./files.ts";
import { quoteIdentifier, quoteText } from "./sql.ts";
import { sqlType } from "./store-columns.ts";
import type { ColumnType, IngestManifest, ObsType } from "./types.ts";

const count = z.number().int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const obsType = z.enum(["string", "int", "float", "bool"]);
const field = z.object({ source: z.string(), name: z.string(), type: obsType, column: z.string() });
const ingestManifest = z.object({
  version: z.literal(2),
  ingestId: z.string().regex(/^[^\0]+$/u),
  source: z
    .object({ sourceName: z.string(), sha256: z.string() })
    .catchall(z.union([z.string(), z.number(), z.boolean(), z.null()])),
  cells: count,
  nnz: count,
  features: count,
  cellIdStart: count,
  featureIdStart: count,
  obsSchema: z.array(field),
  featureColumns: z.array(field),
  countsType: z.enum(["int32", "float32"]),
  encoding: z.enum(["delta", "plain"]),
  pageCells: z.number().int().min(1),
  files: z.array(
    z.object({ name: z.string().regex(/^[a-z0-9-]+\.parquet$/), rows: count, bytes: count, sha256: hash }),
  ),
  createdBy: z.string(),
});

export interface Ingest {
  dir: string;
  manifest: IngestManifest;
  manifestSha256: string;
}

/** Reads and checks one ingest folder. Throws `not_found` without a manifest, `corrupt` when it or a file's size is wrong. */
export async function openIngest(dir: string): Promise<Ingest> {
  const path = join(dir, MANIFEST);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new OmicsStoreError("not_found", `${dir} is no finished ingest: ${MANIFEST} cannot be read`, {
      cause,
    });
  });
  refuseVersion1(path, text);
  const manifest = parseManifest(path, text, ingestManifest);
  for (const file of manifest.files) {
    const size = (await stat(join(dir, file.name)).catch(() => undefined))?.size;
    if (size !== file.bytes)
      throw new OmicsStoreError(
        "corrupt",
        `${join(dir, file.name)}: ${file.bytes} bytes were expected, found ${size ?? "no file"}; fetch the ingest again`,
      );
  }
  return { dir, manifest, manifestSha256: sha256Hex(text) };
}

/** Version 1 was written by DuckDB, and its lists are not in pages that can be read by themselves. */
function refuseVersion1(path: string, text: string): void {
  if (/^\{\s*"version": 1,/.test(text))
    throw new OmicsStoreError(
      "unsupported_version",
      `${path} is of version 1, this release reads version 2; ingest the source file again`,
    );
}

export function parseManifest<T>(path: string, text: string, schema: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new OmicsStoreError("corrupt", `${path} is not JSON`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new OmicsStoreError("corrupt", `${path}: ${z.prettifyError(parsed.error)}`);
}

/**
 * Opens ingests in an order of their own (first cell id, then ingest id), so that the order of `dirs` never matters.
 * Throws `invalid_request` for an empty list, a repeated ingest or overlapping cell ids.
 */
export async function openIngests(dirs: readonly string[]): Promise<Ingest[]> {
  if (dirs.length === 0) throw new OmicsStoreError("invalid_request", "no ingest was given");
  const ingests: Ingest[] = [];
  for (const dir of dirs) ingests.push(await openIngest(dir));
  ingests.sort(
    ({ manifest: a }, { manifest: b }) =>
      a.cellIdStart - b.cellIdStart || a.cells - b.cells || (a.ingestId < b.ingestId ? -1 : 1),
  );
  const ids = new Set<string>();
  let end = 0;
  let before = "";
  for (const { manifest: m, dir } of ingests) {
    if (ids.has(m.ingestId))
      throw new OmicsStoreError("invalid_request", `ingest ${m.ingestId} was given twice (${dir})`);
    ids.add(m.ingestId);
    if (m.cells === 0) continue;
    if (m.cellIdStart < end)
      throw new OmicsStoreError(
        "invalid_request",
        `ingests ${before} and ${m.ingestId} overlap: cell id ${m.cellIdStart} is in both`,
      );
    end = m.cellIdStart + m.cells;
    before = m.ingestId;
  }
  return ingests;
}

/** Columns every ingest has, usable in filters, keys and obs columns like any other. */
export const builtInColumns: readonly ColumnType[] = [
  { name: "cell_id", type: "int" },
  { name: "original_cell_id", type: "string" },
  { name: "ingest_id", type: "string" },
  { name: "n_counts", type: "float" },
  { name: "nnz", type: "int" },
];

function widen(a: ObsType, b: ObsType): ObsType {
  if (a === b) return a;
  return (a === "int" && b === "float") || (a === "float" && b === "int") ? "float" : "string";
}

/**
 * All columns of these ingests: the built-in ones, then obs columns in order of first appearance. Where ingests disagree on a type,
 * int and float make float, and any other mix makes string. A cell whose ingest lacks a column has NULL there.
 */
export function unifiedColumns(ingests: readonly Ingest[]): ColumnType[] {
  const types = new Map<string, ObsType>();
  for (const { manifest } of ingests)
    for (const { name, type } of manifest.obsSchema) types.set(name, widen(types.get(name) ?? type, type));
  return [...builtInColumns, ...[...types].map(([name, type]) => ({ name, type }))];
}

/** A unified column of one ingest as SQL over its obs.parquet. */
export function columnSql(ingest: Ingest, column: ColumnType): string {
  const type = sqlType[column.type];
  if (column.name === "ingest_id") return `CAST(${quoteText(ingest.manifest.ingestId)} AS VARCHAR)`;
  if (builtInColumns.some((b) => b.name === column.name))
    return `CAST(${quoteIdentifier(column.name)} AS ${type})`;
  const stored = ingest.manifest.obsSchema.find((f) => f.name === column.name);
  return stored ? `CAST(${quoteIdentifier(stored.column)} AS ${type})` : `CAST(NULL AS ${type})`;
}

export const obsPath = (ingest: Ingest): string => join(ingest.dir, "obs.parquet");
