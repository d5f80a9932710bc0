import { open } from "node:fs/promises";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { SheetEntry } from "../convert/field-output.ts";
import { encodePng } from "../convert/pixel-ops.ts";
import { htmlPages, pageFile } from "./sheet-html.ts";
import { drawPage, perPage, thumbBytes } from "./sheet-pages.ts";
import type { SheetSummary } from "./sheet-summary.ts";

/** What a sheet is made of. */
export interface SheetInput {
  readonly summary: SheetSummary;
  readonly entries: readonly SheetEntry[];
  /** Local file with the thumbnails of the entries, one after the other, RGB. */
  readonly thumbs: string;
}

/** A file of the sheet. */
export interface SheetFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Make the contact sheet: `page-1.png` …, `index.html`, and `crops-2.html` … where there are more crops than a page should have. */
export async function makeContactSheet(input: SheetInput, context: TaskContext): Promise<SheetFile[]> {
  const { entries, summary } = input;
  const fields = new Map(summary.fields.map((field) => [field.field, field]));
  const pages = Math.ceil(entries.length / perPage);
  const files: SheetFile[] = [];
  await using file = await open(input.thumbs);
  for (let page = 0; page < pages; page++) {
    const first = page * perPage;
    const shown = entries.slice(first, first + perPage);
    const thumbs = new Uint8Array(shown.length * thumbBytes);
    await file.read(thumbs, 0, thumbs.length, first * thumbBytes);
    const { rgb, width, height } = drawPage({ entries: shown, first, thumbs, page, pages }, summary, fields);
    const bytes = encodePng(rgb, { width, height, channels: 3 });
    files.push({ name: pageFile(page), type: "image/png", bytes });
    await context.breathe();
  }
  for (const { name, text } of htmlPages(summary, entries, fields))
    files.push({ name, type: "text/html; charset=utf-8", bytes: Buffer.from(text) });
  return files;
}
