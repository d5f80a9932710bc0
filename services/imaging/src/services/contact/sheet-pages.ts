import type { SheetEntry } from "../convert/field-output.ts";
import { channelColours, thumbSize } from "../convert/thumbnail.ts";
import { type Canvas, type Colour, fill, widthOf, write } from "./lettering.ts";
import { failureCounts, fieldCount, type SheetField, type SheetSummary } from "./sheet-summary.ts";

/** Crops side by side: a page fits a screen of 1920 pixels. */
const columns = 12;

/** Rows of a page. */
const rows = 8;

const gap = 12;
const captionHeight = 38;
const top = 66;
const cellWidth = thumbSize + gap;
const cellHeight = thumbSize + captionHeight + gap;
const lineHeight = 20;

/** Crops on a page. */
export const perPage = columns * rows;

/** Flags with the letter and the colour they have on the sheet. */
export const flagMarks: Readonly<Record<string, { letter: string; colour: Colour }>> = {
  padded: { letter: "P", colour: [96, 165, 250] },
  neighbours: { letter: "N", colour: [250, 204, 21] },
  saturated: { letter: "S", colour: [248, 113, 113] },
  border: { letter: "E", colour: [192, 132, 252] },
};

const paper: Colour = [17, 19, 24];
const ink: Colour = [229, 231, 235];
const faint: Colour = [140, 147, 160];
const alarm: Colour = [248, 113, 113];

/** Where a crop stands on its page. */
export function placeOf(index: number): { page: number; x: number; y: number } {
  const onPage = index % perPage;
  return {
    page: Math.floor(index / perPage),
    x: gap + (onPage % columns) * cellWidth,
    y: top + Math.floor(onPage / columns) * cellHeight,
  };
}

/** What a page shows. */
export interface SheetPage {
  readonly entries: readonly SheetEntry[];
  /** Index of the first of them among all shown. */
  readonly first: number;
  /** Of these entries, one after the other, RGB. */
  readonly thumbs: Uint8Array;
  readonly page: number;
  readonly pages: number;
}

/**
 * One page: thumbnails with a scale bar and a caption (number of the field on the sheet and label, flags; area, probability), above them what
 * the job was and what failed, below them the names of the fields.
 */
export function drawPage(
  { entries, first, thumbs, page, pages }: SheetPage,
  summary: SheetSummary,
  fields: ReadonlyMap<string, SheetField>,
): Canvas {
  const shown = [...new Set(entries.map((entry) => entry.field))].flatMap((name) => fields.get(name) ?? []);
  const width = gap + columns * cellWidth;
  const listTop = top + Math.ceil(entries.length / columns) * cellHeight;
  const names = columnsOf(shown.map((field) => `${field.number} ${field.name}`));
  const height = listTop + Math.ceil(shown.length / names.count) * lineHeight + gap;
  const canvas: Canvas = { width, height, rgb: new Uint8Array(width * height * 3) };
  fill(canvas, 0, 0, width, height, paper);
  drawHead(canvas, summary, shown, `page ${page + 1} of ${pages}`);
  for (const [i, entry] of entries.entries()) {
    const { x, y } = placeOf(first + i);
    drawThumb(canvas, x, y, thumbs.subarray(i * thumbBytes, (i + 1) * thumbBytes));
    drawBar(canvas, x, y, entry);
    drawCaption(canvas, x, y + thumbSize + 5, entry, fields.get(entry.field)?.number ?? 0);
  }
  for (const [i, field] of shown.entries()) {
    const x = gap + (i % names.count) * names.width;
    const y = listTop + Math.floor(i / names.count) * lineHeight;
    const after = write(canvas, x, y, String(field.number), ink);
    write(canvas, after + 12, y, cut(field.name, names.letters - String(field.number).length - 2), faint);
  }
  return canvas;
}

/** Bytes of a thumbnail. */
export const thumbBytes = thumbSize * thumbSize * 3;

/** How many names go side by side on the page. */
function columnsOf(names: readonly string[]) {
  const letters = Math.min(70, Math.max(10, ...names.map((name) => name.length + 3)));
  const width = widthOf("x") * letters;
  return { count: Math.max(1, Math.floor((columns * cellWidth) / width)), width, letters };
}

function cut(text: string, letters: number): string {
  return text.length <= letters ? text : `${text.slice(0, Math.max(0, letters - 1))}…`;
}

function drawHead(canvas: Canvas, summary: SheetSummary, fields: readonly SheetField[], page: string): void {
  const title = `${summary.shown} of ${summary.crops} crops, ${fieldCount(summary)}, ${summary.recipe}, segmentation ${summary.segmentation}, ${page}`;
  let at = write(canvas, gap, 12, title, ink);
  const { failed } = summary;
  if (failed.length > 0)
    write(canvas, at + 24, 12, `${failed.length} failed: ${failureCounts(failed)}`, alarm);
  at = write(canvas, gap, 38, "field#nucleus, area in px, probability; bars in µm  ", faint);
  for (const [flag, mark] of Object.entries(flagMarks))
    at = write(canvas, drawFlag(canvas, at, 37, mark) + 4, 38, `${flag} `, faint);
  for (const [c, name] of channelsOf(fields).entries()) at = write(canvas, at + 12, 38, name, colourOf(c));
}

/** Names of the channels that the fields share. */
function channelsOf(fields: readonly SheetField[]): readonly string[] {
  const [first] = fields;
  const same = first?.channels.every((name, c) => fields.every(({ channels }) => channels[c] === name));
  const count = Math.max(0, ...fields.map(({ channels }) => channels.length));
  if (first !== undefined && same === true && first.channels.length === count) return first.channels;
  return Array.from({ length: count }, (_, c) => (c === 0 ? "nucleus" : `channel ${c + 1}`));
}

/** The colour of a channel on the sheet, by its place in `SheetField.channels`. */
export function colourOf(channel: number): Colour {
  const [r, g, b] = channelColours[Math.min(channel, channelColours.length - 1)] as Colour;
  return [Math.round(r * 255), Math.round(g * 255), Math.round(b * 255)];
}

/** A square with the flag's letter; returns the x after it. */
function drawFlag(
  canvas: Canvas,
  x: number,
  y: number,
  { letter, colour }: { letter: string; colour: Colour },
) {
  fill(canvas, x, y, 16, 16, colour);
  write(canvas, x + 3, y + 1, letter, paper);
  return x + 18;
}

function drawThumb(canvas: Canvas, x: number, y: number, rgb: Uint8Array): void {
  for (let row = 0; row < thumbSize; row++)
    canvas.rgb.set(
      rgb.subarray(row * thumbSize * 3, (row + 1) * thumbSize * 3),
      ((y + row) * canvas.width + x) * 3,
    );
}

/** Lengths of scale bars, µm. */
const bars = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

/** The longest round length below a third of the crop, with its length on the thumbnail. */
export function scaleBarOf(entry: SheetEntry): { um: number; px: number } | undefined {
  const across = entry.cropPx * entry.umPerPx;
  const um = bars.findLast((length) => length <= across / 3);
  return um === undefined ? undefined : { um, px: Math.round((um / across) * thumbSize) };
}

function drawBar(canvas: Canvas, x: number, y: number, entry: SheetEntry): void {
  const bar = scaleBarOf(entry);
  if (bar === undefined) return;
  const [left, bottom] = [x + 5, y + thumbSize - 5];
  fill(canvas, left - 1, bottom - 4, bar.px + 2, 5, paper);
  fill(canvas, left, bottom - 3, bar.px, 3, [255, 255, 255]);
  const text = String(bar.um);
  fill(canvas, left - 1, bottom - 14, widthOf(text, 1) + 1, 9, paper);
  write(canvas, left, bottom - 13, text, [255, 255, 255], 1);
}

function drawCaption(canvas: Canvas, x: number, y: number, entry: SheetEntry, field: number): void {
  write(canvas, x, y, `${field}#${entry.label}`, ink);
  const marks = entry.flags.flatMap((flag) => flagMarks[flag] ?? []);
  let at = x + thumbSize - marks.length * 18 + 2;
  for (const mark of marks) at = drawFlag(canvas, at, y - 1, mark);
  if (entry.areaPx > 0) write(canvas, x, y + 18, String(entry.areaPx), faint);
  const probability = entry.probability < 0 ? "" : entry.probability.toFixed(2);
  write(canvas, x + thumbSize - widthOf(probability) + 2, y + 18, probability, faint);
}
