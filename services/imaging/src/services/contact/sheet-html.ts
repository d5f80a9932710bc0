import type { SheetEntry } from "../convert/field-output.ts";
import { thumbSize } from "../convert/thumbnail.ts";
import { flagMarks, placeOf } from "./sheet-pages.ts";

/** What a sheet says about its job. */
export interface SheetSummary {
  readonly recipe: string;
  readonly segmentation: string;
  readonly fields: number;
  readonly emptyFields: number;
  readonly failed: readonly { readonly uri: string; readonly reason: string; readonly message: string }[];
  readonly crops: number;
}

/** Failed fields that are named on the page; `errors.csv` has them all. */
const shownFailures = 100;

/** The contact sheet as a page: the thumbnails of the PNG pages beside it, each with its caption, filtered by flags. */
export function sheetHtml(
  summary: SheetSummary,
  entries: readonly SheetEntry[],
  fieldNumbers: ReadonlyMap<string, number>,
  pageFile: (page: number) => string,
): string {
  const cells = entries.map((entry, i) => cellHtml(entry, i, fieldNumbers, pageFile)).join("\n");
  const boxes = Object.entries(flagMarks)
    .map(([flag, { letters, colour }]) => {
      const count = entries.filter((entry) => entry.flags.includes(flag)).length;
      return `<label style="--c:rgb(${colour.join(" ")})"><input type="checkbox" checked value="${flag}"> <b>${letters}</b> ${flag} (${count})</label>`;
    })
    .join("");
  const { failed } = summary;
  const failures = failed
    .slice(0, shownFailures)
    .map(({ uri, reason, message }) => `<tr><td>${html(uri)}<td>${html(reason)}<td>${html(message)}`)
    .join("\n");
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Crops: ${summary.crops} of ${summary.fields} fields</title>
<style>
body{background:#111318;color:#e5e7eb;font:13px/1.4 system-ui,sans-serif;margin:24px}
h1{font-size:18px;font-weight:600;margin:0 0 4px}p,summary{color:#9ca3af;margin:0 0 12px}
.bar{display:flex;gap:18px;flex-wrap:wrap;margin:0 0 16px;position:sticky;top:0;background:#111318;padding:8px 0}
.bar b,.chip{color:var(--c)}label{cursor:pointer}
.grid{display:grid;grid-template-columns:repeat(auto-fill,132px);gap:12px}
figure{margin:0;width:132px}figure[hidden]{display:none}
.t{width:${thumbSize}px;height:${thumbSize}px;transform:scale(1.375);transform-origin:0 0;margin-bottom:36px}
figcaption{font-size:11px;overflow-wrap:anywhere}figcaption span{color:#9ca3af}
.chip{font-size:10px;font-weight:600;margin-right:6px}
table{border-collapse:collapse;margin:0 0 16px}td,th{padding:2px 12px 2px 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
</style>
<h1>${summary.crops} crops of ${summary.fields} fields</h1>
<p>${html(summary.recipe)}, segmentation: ${html(summary.segmentation)}; ${summary.emptyFields} field(s) without a nucleus, ${failed.length} failed; ${entries.length} crops shown, evenly chosen. Nucleus blue, further channels green and red; brightness per field; the nucleus outlined.</p>
${failed.length === 0 ? "" : `<details open><summary>${failed.length} failed field(s)${failed.length > shownFailures ? `, the first ${shownFailures}` : ""}</summary><table><tr><th>field<th>reason<th>message\n${failures}\n</table></details>`}
<div class="bar"><span>show</span><label><input type="checkbox" checked value=""> without flags (${entries.filter(({ flags }) => flags.length === 0).length})</label>${boxes}</div>
<div class="grid">
${cells}
</div>
<script>
const boxes = [...document.querySelectorAll("input")];
const show = () => {
  const on = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  for (const figure of document.querySelectorAll("figure"))
    figure.hidden = !figure.dataset.flags.split(" ").some((flag) => on.has(flag));
};
for (const box of boxes) box.onchange = show;
</script>
</html>
`;
}

function cellHtml(
  entry: SheetEntry,
  index: number,
  fieldNumbers: ReadonlyMap<string, number>,
  pageFile: (page: number) => string,
): string {
  const { page, x, y } = placeOf(index);
  const chips = entry.flags
    .map((flag) => {
      const mark = flagMarks[flag];
      return mark === undefined
        ? ""
        : `<span class="chip" style="--c:rgb(${mark.colour.join(" ")})">${mark.letters}</span>`;
    })
    .join("");
  const facts = [
    entry.areaPx > 0 ? `${entry.areaPx} px` : "",
    entry.probability >= 0 ? `p ${entry.probability.toFixed(2)}` : "",
  ].filter(Boolean);
  return `<figure data-flags="${entry.flags.join(" ")}" title="${html(entry.crop)}"><div class="t" style="background:url(${pageFile(page)}) -${x}px -${y}px"></div><figcaption>${fieldNumbers.get(entry.field)}#${entry.label} <span>${facts.join(", ")}<br>${html(entry.field)}</span><br>${chips}</figcaption></figure>`;
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
