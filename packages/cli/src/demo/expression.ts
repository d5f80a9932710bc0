import type { Ontology } from "@cytomesh/ontology";
import type { DemoCellType } from "./cell-types.ts";
import type { DemoGene } from "./genes.ts";
import { FAINT_TERMS, MARKERS } from "./genes.ts";
import type { Random } from "./random.ts";

/** How far types, studies and donors differ; natural-log units of expression. */
export interface ExpressionModel {
  /** Spread of the background genes that a term changes. */
  programSd: number;
  /** Share of the background genes that one term changes. */
  programShare: number;
  /** Gain of a marker over its base where a term raises it. */
  markerGain: number;
  /** The same for terms that barely differ from their siblings. */
  faintMarkerGain: number;
  /** Spread of each gene between studies. */
  batchSd: number;
  /** Spread of each gene between donors. */
  donorSd: number;
  /** Share of every cell's counts that comes from the ambient soup. */
  ambient: number;
}

/** Chosen so that a nearest-centroid classifier errs on a few per cent of an unseen donor's cells, among siblings. */
export const DEFAULT_MODEL: ExpressionModel = {
  programSd: 0.4,
  programShare: 0.04,
  markerGain: 4.5,
  faintMarkerGain: 3.5,
  batchSd: 0.25,
  donorSd: 0.12,
  ambient: 0.03,
};

/**
 * Relative expression of every gene in every cell type, rows = types, each summing to 1. A type is the sum of what all
 * of its ontology terms do, so that related types resemble each other as in life.
 */
export function typeProfiles(
  genes: readonly DemoGene[],
  types: readonly DemoCellType[],
  ontology: Ontology,
  model: ExpressionModel,
  random: Random,
): Float64Array[] {
  const column = new Map(genes.map((gene, g) => [gene.symbol, g]));
  const background = genes.flatMap((gene, g) => (gene.kind === "background" ? [g] : []));
  // Drawn for every term in order, used or not: a profile never depends on which types are asked for.
  const changes = ontology.termIds.map((id) => {
    const change = new Map<number, number>();
    for (const g of background) {
      if (random.uniform() < model.programShare) change.set(g, model.programSd * random.normal());
    }
    const gain = FAINT_TERMS.has(id) ? model.faintMarkerGain : model.markerGain;
    for (const symbol of MARKERS[id] ?? []) {
      change.set(column.get(symbol)!, gain + 0.4 * random.normal());
    }
    return change;
  });
  return types.map((type) => {
    const term = ontology.indexOf(type.termId);
    const logs = Float64Array.from(genes, (gene) => gene.logBase);
    // A gene that several terms raise is raised once, by the strongest.
    const raised = new Map<number, number>();
    for (const node of [...ontology.ancestors(term), term]) {
      for (const [g, change] of changes[node]!) {
        if (genes[g]!.kind === "background") logs[g]! += change;
        else raised.set(g, Math.max(raised.get(g) ?? 0, change));
      }
    }
    for (const [g, gain] of raised) logs[g]! += gain;
    return normalize(logs.map(Math.exp));
  });
}

/** Mixes the soup (the abundance-weighted mean of the profiles) into each profile. */
export function addAmbient(
  profiles: readonly Float64Array[],
  types: readonly DemoCellType[],
  share: number,
): Float64Array[] {
  const soup = new Float64Array(profiles[0]?.length ?? 0);
  profiles.forEach((profile, t) => {
    profile.forEach((value, g) => {
      soup[g]! += value * types[t]!.abundance;
    });
  });
  normalize(soup);
  return profiles.map((profile) => profile.map((value, g) => (1 - share) * value + share * soup[g]!));
}

/** One multiplicative effect per gene, log-normal with the given spread: a batch or a donor. */
export function geneEffects(count: number, sd: number, random: Random): Float64Array {
  return Float64Array.from({ length: count }, () => Math.exp(sd * random.normal()));
}

/** Scales in place to sum 1. */
export function normalize(values: Float64Array): Float64Array {
  let sum = 0;
  for (const value of values) sum += value;
  for (let i = 0; i < values.length; i++) values[i]! /= sum;
  return values;
}
