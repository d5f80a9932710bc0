import { variance } from "./moments.ts";
import { checkInteger } from "./rows.ts";
import type { Moments } from "./types.ts";

const MEAN_BINS = 20;

export interface HvgOptions {
  /** Moments of the normalised values before the logarithm (`normalizeTotal`), all genes of the schema. */
  readonly normalized: Moments;
  readonly nTop: number;
  readonly method: "seurat";
}

export interface GeneDispersions {
  /** log1p of the mean normalised value. */
  readonly means: Float64Array;
  /** log(variance / mean), or −Infinity for a constant gene, which is never selected. */
  readonly dispersions: Float64Array;
  /** The dispersion less its bin's mean, in standard deviations of the bin. −Infinity for a constant gene. */
  readonly normalized: Float64Array;
}

/**
 * The `nTop` most variable genes: positions, ascending.
 *
 * The rule is the "seurat" flavour of scanpy's `highly_variable_genes` (Satija et al. 2015): log dispersion of the normalised
 * values, standardised within 20 equal-width bins of the log mean. Ties go to the lower position, so exactly `nTop` genes come
 * back, or every gene that varies at all when those are fewer.
 *
 * @throws KernelError `invalid_argument` (nTop < 1), `not_enough_rows` (fewer than 2 cells)
 */
export function selectHighlyVariable(options: HvgOptions): Int32Array {
  checkInteger("nTop", options.nTop, 1);
  const { normalized } = geneDispersions(options.normalized);
  const candidates: number[] = [];
  for (let gene = 0; gene < normalized.length; gene++) {
    if (normalized[gene]! > -Infinity) candidates.push(gene);
  }
  candidates.sort((a, b) => normalized[b]! - normalized[a]! || a - b);
  return Int32Array.from(candidates.slice(0, options.nTop)).sort();
}

/** Mean, dispersion and normalised dispersion per gene, the table behind `selectHighlyVariable`. */
export function geneDispersions(moments: Moments): GeneDispersions {
  const genes = moments.mean.length;
  const variances = variance(moments, 1);
  const means = new Float64Array(genes);
  const dispersions = new Float64Array(genes);
  for (let gene = 0; gene < genes; gene++) {
    // An unexpressed gene gets a tiny mean in place of 0, as in scanpy, so that it still counts in the range of the bins.
    const mean = moments.mean[gene]! === 0 ? 1e-12 : moments.mean[gene]!;
    means[gene] = Math.log1p(mean);
    dispersions[gene] = variances[gene]! > 0 ? Math.log(variances[gene]! / mean) : -Infinity;
  }
  return { means, dispersions, normalized: standardiseWithinBins(means, dispersions) };
}

function standardiseWithinBins(means: Float64Array, dispersions: Float64Array): Float64Array {
  const edges = binEdges(means);
  const bins = Int32Array.from(means, (mean) => binOf(edges, mean));
  const count = new Float64Array(MEAN_BINS);
  const average = new Float64Array(MEAN_BINS);
  const deviation = new Float64Array(MEAN_BINS);
  const varies = (gene: number) => dispersions[gene]! > -Infinity;
  bins.forEach((bin, gene) => {
    if (!varies(gene)) return;
    count[bin]! += 1;
    average[bin]! += dispersions[gene]!;
  });
  for (let bin = 0; bin < MEAN_BINS; bin++) if (count[bin]! > 0) average[bin]! /= count[bin]!;
  bins.forEach((bin, gene) => {
    if (varies(gene)) deviation[bin]! += (dispersions[gene]! - average[bin]!) ** 2;
  });
  for (let bin = 0; bin < MEAN_BINS; bin++) {
    if (count[bin]! > 1) deviation[bin] = Math.sqrt(deviation[bin]! / (count[bin]! - 1));
  }
  return dispersions.map((dispersion, gene) => {
    const bin = bins[gene]!;
    if (dispersion === -Infinity) return -Infinity;
    // A gene alone in its bin has nothing to be compared with: 1 by convention. Equal dispersions all sit at the average.
    if (count[bin] === 1) return 1;
    return deviation[bin]! > 0 ? (dispersion - average[bin]!) / deviation[bin]! : 0;
  });
}

/** Right-closed equal-width bins over the range of `means`, the lowest edge pulled down by 0.1 % of it (pandas.cut). */
function binEdges(means: Float64Array): Float64Array {
  let low = Infinity;
  let high = -Infinity;
  for (const mean of means) {
    low = Math.min(low, mean);
    high = Math.max(high, mean);
  }
  const flat = low === high;
  if (flat) {
    low -= low === 0 ? 0.001 : 0.001 * Math.abs(low);
    high += high === 0 ? 0.001 : 0.001 * Math.abs(high);
  }
  const step = (high - low) / MEAN_BINS;
  const edges = Float64Array.from({ length: MEAN_BINS + 1 }, (_, i) => low + i * step);
  edges[MEAN_BINS] = high;
  if (!flat) edges[0]! -= (high - low) * 0.001;
  return edges;
}

function binOf(edges: Float64Array, mean: number): number {
  let bin = 0;
  while (bin < MEAN_BINS - 1 && mean > edges[bin + 1]!) bin++;
  return bin;
}
