import { join } from "node:path";
import type { CheckedIngestOptions } from "./ingest-options.ts";
import { reservedFeatureNames, storedFields } from "./names.ts";
import { columnBuffer, type ScalarField } from "./parquet/column-buffer.ts";
import { createParquetFile } from "./parquet/file-writer.ts";
import type { Compression } from "./parquet/format.ts";
import { checkColumn, columnPusher, ownColumn, scalarType, typeOfColumn } from "./store-columns.ts";
import type { FileEntry, StoredField } from "./types.ts";

export const FEATURES_FILE = "features.parquet";

/** Writes features.parquet: feature_id, var_position, feature, then the var columns. Returns how those are stored. */
export async function writeFeatures(
  options: CheckedIngestOptions,
  compression: Compression,
): Promise<{ fields: StoredField[]; entry: FileEntry }> {
  const { features, featureIdStart, dir } = options;
  const count = features.ids.length;
  const declared = Object.entries(features.columns).map(([name, c]) => ({ name, type: typeOfColumn(c) }));
  const fields = storedFields(declared, reservedFeatureNames, "var_");
  const scalars: ScalarField[] = [
    { name: "feature_id", type: "int32", optional: false },
    { name: "var_position", type: "int32", optional: false },
    { name: "feature", type: "string", optional: false },
    ...fields.map((f) => ({ name: f.column, type: scalarType[f.type], optional: true })),
  ];
  const buffers = scalars.map(columnBuffer);
  for (let i = 0; i < count; i++) {
    buffers[0]!.pushNumber(featureIdStart + i);
    buffers[1]!.pushNumber(i);
    buffers[2]!.pushString(features.ids[i]!);
  }
  fields.forEach((f, i) => {
    const field = { name: f.source, type: f.type };
    const column = checkColumn(field, ownColumn(features.columns, f.source), count);
    columnPusher(field, column)(buffers[3 + i]!, 0, count);
  });
  const file = await createParquetFile(join(dir, FEATURES_FILE), scalars, []);
  try {
    if (count > 0)
      await file.rowGroup(
        count,
        buffers.map((buffer) => buffer.finish(compression)),
        compression,
        [],
      );
    return { fields, entry: { name: FEATURES_FILE, ...(await file.finish()) } };
  } catch (error) {
    await file.abort();
    throw error;
  }
}
