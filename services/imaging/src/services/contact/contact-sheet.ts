import { readFile } from "node:fs/promises";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { SheetEntry } from "../convert/field-output.ts";
import { encodePng } from "../convert/pixel-ops.ts";
import { type SheetSummary, sheetHtml } from "./sheet-html.ts";
import { drawPage, perPage } from "./sheet-pages.ts";

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

/** Make the contact sheet: `page-1.png` … and `index.html`. */
export async function makeContactSheet(input: SheetInput, context: TaskContext): Promise<SheetFile[]> {
  const { entries, summary } = input;
  const thumbs = await readFile(input.thumbs);
  const fieldNumbers = new Map<string, number>();
  for (const { field } of entries)
    if (!fieldNumbers.has(field)) fieldNumbers.set(field, fieldNumbers.size + 1);
  const pages = Math.ceil(entries.length / perPage);
  const pageFile = (page: number) => `page-${page + 1}.png`;
  const files: SheetFile[] = [];
  for (let page = 0; page < pages; page++) {
    const title = `${entries.length} of ${summary.crops} crops, ${summary.fields} fields, page ${page + 1} of ${pages}`;
    const canvas = drawPage(entries, fieldNumbers, thumbs, page * perPage, title);
    const bytes = encodePng(canvas.rgb, {
      width: canvas.width,
      height: canvas.height,
      channels: 3,
      level: 6,
    });
    files.push({ name: pageFile(page), type: "image/png", bytes });
    await context.breathe();
  }
  const page = sheetHtml(summary, entries, fieldNumbers, pageFile);
  files.push({ name: "index.html", type: "text/html; charset=utf-8", bytes: Buffer.from(page) });
  return files;
}
