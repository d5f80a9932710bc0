import { type StarDistConfig, structuralReach } from "../stardist/config.ts";
import type { Network } from "../stardist/model.ts";

/**
 * Pixels around a pixel that change its probability, measured as StarDist does: the network on an image of zeros and on one with a single
 * one. With weights that answer nothing, what the structure allows.
 */
export async function measureReach(network: Network, config: StarDistConfig): Promise<number> {
  const [height, width] = [config.grid[0] * 128, config.grid[1] * 128];
  const zeros = new Float32Array(config.channelsIn * height * width);
  const spot = zeros.slice();
  for (let channel = 0; channel < config.channelsIn; channel++)
    spot[(channel * height + height / 2) * width + width / 2] = 1;
  const without = await network.predict(zeros, width, height);
  const flat = without.probabilities.slice();
  const { probabilities, rows, columns } = await network.predict(spot, width, height);
  const changedRows = new Set<number>();
  const changedColumns = new Set<number>();
  for (let i = 0; i < probabilities.length; i++)
    if (probabilities[i] !== flat[i]) {
      changedRows.add(Math.floor(i / columns));
      changedColumns.add(i % columns);
    }
  if (changedRows.size === 0) return structuralReach(config);
  return Math.max(reachOf(changedRows, rows, height), reachOf(changedColumns, columns, width));
}

/** Cells spread over the pixels as scipy's `zoom(order=0)` spreads them, seen from the middle pixel. */
function reachOf(cells: ReadonlySet<number>, count: number, size: number): number {
  let first = size;
  let last = 0;
  for (let pixel = 0; pixel < size; pixel++) {
    if (!cells.has(Math.floor((pixel * (count - 1)) / (size - 1) + 0.5))) continue;
    first = Math.min(first, pixel);
    last = pixel;
  }
  return Math.max(size / 2 - first, last - size / 2);
}
