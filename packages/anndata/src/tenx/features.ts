import { AnnDataError } from "../errors.ts";
import { textArray, type VirtualNode, virtualFrame } from "../virtual-source.ts";

/** What 10x files say of their features, all of one length. */
export interface TenxFeatures {
  ids: string[];
  names: string[];
  /** Columns besides, in their order: `feature_types`, `genome`, … */
  columns: Map<string, string[]>;
}

/**
 * var of a 10x matrix: indexed by id, as symbols repeat, with the columns that `scanpy.read_10x_mtx(var_names="gene_ids")` gives. Where ids
 * repeat and symbols do not, it is the other way round.
 */
export function tenxVar({ ids, names, columns }: TenxFeatures): [string, VirtualNode][] {
  const bySymbol = new Set(ids).size < ids.length && new Set(names).size === names.length;
  const [index, other, label] = bySymbol ? [names, ids, "gene_ids"] : [ids, names, "gene_symbols"];
  const rest = [...columns].map(([name, values]): [string, VirtualNode] => [name, textArray(values)]);
  return virtualFrame("/var", textArray(index), new Map([[label, textArray(other)], ...rest]));
}

export function checkCount(path: string, what: string, found: number, expected: number, says: string): void {
  if (found === expected) return;
  throw new AnnDataError("wrong-length", `${path}: ${found} ${what}, but ${says} ${expected}`);
}
