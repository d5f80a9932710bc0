import type { SheetEntry } from "../convert/field-output.ts";
import { thumbSize } from "../convert/thumbnail.ts";
import { type Canvas, type Colour, fill, write } from "./lettering.ts";

/** Crops side by side: a page fits a screen of 1920 pixels. */
const columns = 16;

/** Rows of a page. */
const rows = 10;

const gap = 10;
const captionHeight = 30;
const top = 34;
const cellWidth = thumbSize + gap;
const cellHeight = thumbSize + captionHeight + gap;

/** Crops on a page. */
export const perPage = columns * rows;

/** Flags with the letters and the colour they have on the sheet. */
export const flagMarks: Readonly<Record<string, { letters: string; colour: Colour }>> = {
  padded: { letters: "PAD", colour: [96, 165, 250] },
  neighbours: { letters: "NBR", colour: [250, 204, 21] },
  saturated: { letters: "SAT", colour: [248, 113, 113] },
  border: { letters: "EDGE", colour: [192, 132, 252] },
};

const paper: Colour = [17, 19, 24];
const ink: Colour = [229, 231, 235];
const faint: Colour = [140, 147, 160];

/** Where a crop stands on its page. */
export function placeOf(index: number): { page: number; x: number; y: number } {
  const onPage = index % perPage;
  return {
    page: Math.floor(index / perPage),
    x: gap + (onPage % columns) * cellWidth,
    y: top + Math.floor(onPage / columns) * cellHeight,
  };
}

/**
 * One page: thumbnails with a caption (number of the field on the sheet and label; area; flags).
 *
 * @param first index of the page's first crop among all shown.
 * @param thumbs of all crops shown, one after the other.
 */
export function drawPage(
  entries: readonly SheetEntry[],
  fieldNumbers: ReadonlyMap<string, number>,
  thumbs: Uint8Array,
  first: number,
  title: string,
): Canvas {
  const shown = entries.slice(first, first + perPage);
  const width = gap + Math.min(columns, Math.max(6, shown.length)) * cellWidth;
  const height = top + Math.ceil(shown.length / columns) * cellHeight;
  const canvas: Canvas = { width, height, rgb: new Uint8Array(width * height * 3) };
  fill(canvas, 0, 0, width, height, paper);
  write(canvas, gap, 12, title, faint);
  const bytes = thumbSize * thumbSize * 3;
  for (const [i, entry] of shown.entries()) {
    const { x, y } = placeOf(first + i);
    const start = (first + i) * bytes;
    for (let row = 0; row < thumbSize; row++)
      canvas.rgb.set(
        thumbs.subarray(start + row * thumbSize * 3, start + (row + 1) * thumbSize * 3),
        ((y + row) * width + x) * 3,
      );
    const marks = entry.flags.map((flag) => flagMarks[flag]).filter((mark) => mark !== undefined);
    const after = write(canvas, x, y + thumbSize + 4, `${fieldNumbers.get(entry.field)}#${entry.label}`, ink);
    if (entry.areaPx > 0) write(canvas, after + 6, y + thumbSize + 4, String(entry.areaPx), faint);
    let at = x;
    for (const { letters, colour } of marks) at = write(canvas, at, y + thumbSize + 18, letters, colour) + 2;
    if (marks.length > 0) fill(canvas, x, y + thumbSize, thumbSize, 2, marks.at(-1)?.colour ?? ink);
  }
  return canvas;
}
