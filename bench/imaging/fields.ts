import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { uniform } from "@cytomesh/segmentation/testing";
import { tiffOf } from "../../services/imaging/src/testing/tiff.ts";

/** Side of a field of OpenCell, px. */
export const side = 600;

/** Seeded noise of a camera: a sum of two uniform numbers, so that PNG filters meet what they meet in practice. */
function noisy(random: () => number, mean: number, spread: number): number {
  return mean + spread * (random() + random() - 1);
}

/** A field as OpenCell has them (smooth light, camera noise of about 1 %), and the labels of its nuclei. */
export function opencellField(seed: number) {
  const random = uniform(seed + 1);
  const labels = new Uint16Array(side * side);
  const [nucleus, protein] = [new Uint16Array(side * side), new Uint16Array(side * side)];
  const cells = Array.from({ length: 22 }, (_, i) => ({
    y: 60 + (i % 5) * 115 + 40 * random(),
    x: 60 + Math.floor(i / 5) * 115 + 40 * random(),
    ry: 29 + 10 * random(),
    rx: 29 + 10 * random(),
    light: 3_000 + 9_000 * random(),
  }));
  for (let y = 0, i = 0; y < side; y++)
    for (let x = 0; x < side; x++, i++) {
      let light = 400;
      let around = 300;
      for (const [k, cell] of cells.entries()) {
        const d = ((y - cell.y) / cell.ry) ** 2 + ((x - cell.x) / cell.rx) ** 2;
        if (d < 1 && labels[i] === 0) labels[i] = k + 1;
        if (d < 1.2) light = Math.max(light, cell.light * Math.min(1, 1.2 - d + 0.4));
        if (d < 6) around = Math.max(around, (cell.light / 2) * Math.exp(-d / 2));
      }
      nucleus[i] = Math.max(0, noisy(random, light, 40 + light / 60));
      protein[i] = Math.max(0, noisy(random, around, 60 + around / 40));
    }
  return { nucleus, protein, labels };
}

/** Write fields and labels, as the conversion and its reference look for them. */
export async function writeFields(dir: string, count: number): Promise<void> {
  await mkdir(join(dir, "opencell"), { recursive: true });
  await mkdir(join(dir, "labels"), { recursive: true });
  const page = { width: side, height: side };
  for (let i = 0; i < count; i++) {
    const { nucleus, protein, labels } = opencellField(i);
    const name = `OC-FOV_G${i}_ENSG0_CID0_FID${String(i).padStart(8, "0")}`;
    const pages = [nucleus, protein].map((pixels) => ({ ...page, pixels }));
    await writeFile(
      join(dir, "opencell", `${name}_proj.tif`),
      tiffOf(pages, "ImageJ=1.53\nimages=2\nchannels=2\nhyperstack=true\n"),
    );
    await writeFile(join(dir, "labels", `${name}.tif`), tiffOf([{ ...page, pixels: labels }]));
  }
}
