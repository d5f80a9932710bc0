import { InferenceError } from "../errors.ts";
import type { Overlap } from "../schemas/resources.ts";

/** How the columns of a query lie in those of a model. */
export interface GeneMap {
  /** By query column: the model's column, or −1. In shared memory, for every thread that sees the rows. */
  readonly columns: Int32Array;
  readonly overlap: Overlap;
}

/** Ids shown of each side when nothing fits. */
const examples = 3;

/**
 * Map the genes of a query to those of a model by name. Several query columns may lead to one gene.
 *
 * @throws InferenceError `no-shared-genes`
 */
export function mapGenes(
  queryIds: readonly string[],
  model: { geneIds: readonly string[]; columnOf: ReadonlyMap<string, number> },
): GeneMap {
  const columns = new Int32Array(new SharedArrayBuffer(queryIds.length * Int32Array.BYTES_PER_ELEMENT));
  const shared = new Set<number>();
  queryIds.forEach((id, i) => {
    const column = model.columnOf.get(id) ?? -1;
    columns[i] = column;
    if (column >= 0) shared.add(column);
  });
  if (shared.size === 0)
    throw new InferenceError(
      "no-shared-genes",
      `no gene of the query is one of the model's: the query has ${show(queryIds)}, the model has ${show(model.geneIds)}; send the kind of ids that the model was trained on`,
    );
  return {
    columns,
    overlap: {
      modelGenes: model.geneIds.length,
      queryGenes: new Set(queryIds).size,
      sharedGenes: shared.size,
    },
  };
}

function show(ids: readonly string[]): string {
  const few = ids.slice(0, examples).map((id) => JSON.stringify(id.slice(0, 60)));
  return `${few.join(", ")}${ids.length > examples ? ` and ${ids.length - examples} more` : ""}`;
}
