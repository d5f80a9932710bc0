import { createHash } from "node:crypto";
import type { IngestCatalog, IngestTicket } from "../clients/catalog.ts";

/** An ingest as the catalog in memory keeps it. */
export interface IngestRow extends IngestTicket {
  readonly dataset: string;
  sourceUri: string;
  state: "started" | "committed" | "failed";
  manifestSha256: string;
  error: string;
}

/** A catalog in memory that follows the contract of the real one, with its tables open to the test. */
export function fakeCatalog() {
  const datasets = new Set<string>();
  const rows = new Map<string, IngestRow>();
  const next = { cell: 0, feature: 0 };
  const rowOf = (id: string): IngestRow => {
    const row = rows.get(id);
    if (row === undefined) throw new Error(`there is no ingest ${id}`);
    return row;
  };
  const put = (id: string, change: Partial<IngestRow>): IngestRow => {
    const row = { ...rowOf(id), ...change };
    rows.set(id, row);
    return row;
  };
  const catalog: IngestCatalog = {
    async ensureDataset(name) {
      datasets.add(name);
    },
    async begin({ dataset, sourceUri, sha256, optionsFingerprint }) {
      if (!datasets.has(dataset)) throw new Error(`there is no dataset ${dataset}`);
      const key = createHash("sha256").update(`${dataset}\n${sha256}\n${optionsFingerprint}`).digest("hex");
      const id = `ing-${key.slice(0, 16)}`;
      const known = rows.get(id);
      if (known?.committed) return known;
      if (known !== undefined) return put(id, { state: "started", sourceUri, error: "" });
      const ids = { cells: 0, features: 0, cellIdStart: 0, featureIdStart: 0 };
      const rest = { state: "started", manifestSha256: "", error: "", committed: false } as const;
      rows.set(id, { id, dataset, sourceUri, ...ids, ...rest });
      return rowOf(id);
    },
    async reserve(id, cells, features) {
      const row = rowOf(id);
      if (row.committed) throw new Error(`${id} is committed`);
      if (row.cells > 0) {
        if (row.cells !== cells || row.features !== features) throw new Error(`${id} has another size`);
        return row;
      }
      const reserved = { cells, features, cellIdStart: next.cell, featureIdStart: next.feature };
      next.cell += cells;
      next.feature += features;
      return put(id, reserved);
    },
    async commit(id, manifestSha256) {
      const row = rowOf(id);
      if (row.committed && row.manifestSha256 !== manifestSha256)
        throw new Error(`${id} is committed with another manifest`);
      put(id, { state: "committed", committed: true, manifestSha256, error: "" });
    },
    async fail(id, error) {
      if (!rowOf(id).committed) put(id, { state: "failed", error });
    },
  };
  return { catalog, datasets, rows, next };
}
