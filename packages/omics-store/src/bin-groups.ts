import { OmicsStoreError } from "./errors.ts";
import type { CurriculumBin, CurriculumManifest } from "./types.ts";

const DEFAULT_MEMORY_BYTES = 512 * 1024 ** 2;

/** Bytes a bin takes while open: 8 per stored non-zero, plus bookkeeping and obs values per cell. */
const binBytes = (bin: CurriculumBin, obsColumns: number): number =>
  bin.nnz * 8 + bin.cells * (80 + 24 * obsColumns);

/**
 * Cuts the requested bins, in their order, into groups that fit `memoryBytes` together; a bin larger than that is a group of its own.
 * Throws `invalid_request` for a repeated bin and `not_found` for one that the curriculum does not have.
 */
export function groupBins(
  manifest: CurriculumManifest,
  bins: readonly number[],
  memoryBytes: number = DEFAULT_MEMORY_BYTES,
): CurriculumBin[][] {
  if (!(memoryBytes > 0))
    throw new OmicsStoreError("invalid_request", `memoryBytes must be positive, got ${memoryBytes}`);
  const known = new Map(manifest.bins.map((b) => [b.bin, b]));
  const seen = new Set<number>();
  const groups: CurriculumBin[][] = [];
  let open: CurriculumBin[] = [];
  let used = 0;
  for (const number of bins) {
    const bin = known.get(number);
    if (bin === undefined)
      throw new OmicsStoreError(
        "not_found",
        `bin ${number}: the curriculum has bins 0..${manifest.bins.length - 1}`,
      );
    if (seen.has(number)) throw new OmicsStoreError("invalid_request", `bin ${number} was asked for twice`);
    seen.add(number);
    const bytes = binBytes(bin, manifest.obsColumns.length);
    if (open.length > 0 && used + bytes > memoryBytes) {
      groups.push(open);
      open = [];
      used = 0;
    }
    open.push(bin);
    used += bytes;
  }
  return open.length > 0 ? [...groups, open] : groups;
}
