import { join } from "node:path";
import { columnSink } from "./column-sink.ts";
import { ASSIGNMENTS, readCurriculum } from "./curriculum.ts";
import { throwIfAborted, withDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { openIngest } from "./ingests.ts";
import { quoteIdentifier, readParquet } from "./sql.ts";
import type { ObsColumn } from "./types.ts";

/** The cells of a curriculum in the order of its bins: bin by bin, rank order inside a bin. */
export interface Assignments {
  cellIds: Float64Array;
  columns: Record<string, ObsColumn>;
}

/**
 * Cell ids and obs of a whole curriculum, from its assignments alone. String columns with registered categories come as categoricals with
 * the global list. Throws `unknown_column` for a column the curriculum does not carry, `not_found`, `corrupt`, `cancelled`.
 */
export async function readAssignments(
  curriculumDir: string,
  options: { columns: readonly string[]; signal?: AbortSignal },
): Promise<Assignments> {
  const manifest = await readCurriculum(curriculumDir);
  const wanted = options.columns.map((name) => {
    const found = manifest.obsColumns.find((column) => column.name === name);
    if (found === undefined)
      throw new OmicsStoreError(
        "unknown_column",
        `the curriculum carries no obs column ${JSON.stringify(name)}; it has ${manifest.obsColumns.map((c) => c.name).join(", ") || "none"}`,
      );
    return found;
  });
  const sinks = [
    columnSink({ name: "cell_id", type: "int" }, { nullable: false }),
    ...wanted.map((column) =>
      columnSink(column, {
        nullable: column.nullable,
        categories: column.categorical ? manifest.categories[column.name] : undefined,
      }),
    ),
  ];
  const list = ["cell_id", ...wanted.map((column) => quoteIdentifier(column.column))].join(", ");
  return withDuck({ signal: options.signal }, async (duck) => {
    const result = await duck.stream(
      `SELECT ${list} FROM ${readParquet([join(curriculumDir, ASSIGNMENTS)])} ORDER BY extract_bin, position`,
    );
    for await (const chunk of result) {
      throwIfAborted(options.signal);
      sinks.forEach((sink, column) => {
        sink.take(chunk, column);
      });
    }
    const [ids, ...columns] = sinks.map((sink) => sink.finish());
    return {
      cellIds: ids?.kind === "number" ? Float64Array.from(ids.values) : new Float64Array(0),
      columns: Object.fromEntries(wanted.map((column, i) => [column.name, columns[i] as ObsColumn])),
    };
  });
}

/** Feature ids of an ingest in the order of its file's columns; ids may repeat. Throws `not_found`, `corrupt`. */
export async function readIngestFeatures(ingestDir: string): Promise<string[]> {
  const ingest = await openIngest(ingestDir);
  return withDuck({}, async (duck) => {
    const rows = await duck.rows(
      `SELECT feature FROM ${readParquet([join(ingest.dir, "features.parquet")])} ORDER BY var_position`,
    );
    return rows.map(([feature]) => String(feature));
  });
}
