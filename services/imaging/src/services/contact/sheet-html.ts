import type { SheetEntry } from "../convert/field-output.ts";
import { css } from "./sheet-css.ts";
import { colourOf, flagMarks, perPage, placeOf } from "./sheet-pages.ts";
import { failureCounts, fieldCount, plural, type SheetField, type SheetSummary } from "./sheet-summary.ts";

/** Crops on one HTML page. */
export const perHtml = 5 * perPage;

/** Lines that a list on the page has at most; the tables of the job have them all. */
const shownLines = 100;
/** Fields named beside a warning at most. */
const shownNames = 5;
/** Fields that the page describes at most. */
const shownFields = 1_000;

/** File with the thumbnails of a page. */
export const pageFile = (page: number) => `page-${page + 1}.png`;

const htmlFile = (page: number) => (page === 0 ? "index.html" : `crops-${page + 1}.html`);

/**
 * The contact sheet for a browser: thumbnails are cut from the PNG pages beside it, so the folder can be opened and copied as it is, and needs
 * nothing from elsewhere. The first page also says what became of the job.
 */
export function htmlPages(
  summary: SheetSummary,
  entries: readonly SheetEntry[],
  fields: ReadonlyMap<string, SheetField>,
): { name: string; text: string }[] {
  const count = Math.max(1, Math.ceil(entries.length / perHtml));
  return Array.from({ length: count }, (_, page) => ({
    name: htmlFile(page),
    text: htmlPage(summary, entries, fields, page, count),
  }));
}

function htmlPage(
  summary: SheetSummary,
  entries: readonly SheetEntry[],
  fields: ReadonlyMap<string, SheetField>,
  page: number,
  pages: number,
): string {
  const first = page * perHtml;
  const shown = entries.slice(first, first + perHtml);
  const sprites = Array.from(
    { length: Math.ceil(shown.length / perPage) },
    (_, i) => `.p${first / perPage + i}{background-image:url(${pageFile(first / perPage + i)})}`,
  );
  const title = `${plural(summary.crops, "crop")} of ${fieldCount(summary)}`;
  const links = pages === 1 ? "" : pageLinks(page, pages);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
${css}
${sprites.join("\n")}
</style>
<h1>${title}</h1>
${page === 0 ? overview(summary) : ""}
${links}
${filters(shown)}
<main class="grid">
${cells(shown, first, fields)}
</main>
${links}
<script>
const boxes = [...document.querySelectorAll(".bar input")];
const figures = [...document.querySelectorAll("figure")];
const show = () => {
  const on = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const fields = new Set();
  for (const figure of figures) {
    figure.hidden = !figure.dataset.flags.split(" ").some((flag) => on.has(flag));
    if (!figure.hidden) fields.add(figure.dataset.field);
  }
  for (const tile of document.querySelectorAll(".field")) tile.hidden = !fields.has(tile.dataset.field);
};
for (const box of boxes) box.onchange = show;
</script>
</html>
`;
}

/** What the job was, what failed, and every field in a line. */
function overview(summary: SheetSummary): string {
  const { fields, failed } = summary;
  const empty = fields.filter((field) => field.crops === 0);
  const warned = fields.filter((field) => field.warnings.length > 0);
  const badges = [
    failed.length > 0
      ? `<span class="bad">${failed.length} failed</span>`
      : `<span class="good">none failed</span>`,
    empty.length > 0 ? `<span class="warn">${empty.length} without a nucleus</span>` : "",
    warned.length > 0 ? `<span class="warn">${warned.length} with warnings</span>` : "",
  ];
  const counts = fields.map((field) => field.crops).sort((a, b) => a - b);
  const spread =
    counts.length < 2
      ? ""
      : `; per field ${counts[0]} to ${counts.at(-1)} crops, median ${counts[Math.floor(counts.length / 2)]}`;
  return `<p class="badges">${badges.join("")}</p>
<p>Recipe ${html(summary.recipe)}, segmentation ${html(summary.segmentation)}; ${summary.shown} of ${summary.crops} crops are shown, evenly chosen${spread}.
Channels have the colours of their names, with one brightness per field; the nucleus is outlined in orange; scale bars are in µm.</p>
${failureTable(failed)}
${linesOf(
  "without a nucleus",
  empty.map((field) => `<li>${html(field.name)}, ${field.found} found before filters`),
)}
${linesOf("with warnings", warningLines(warned), warned.length)}
${fieldTable(fields)}`;
}

function failureTable(failed: SheetSummary["failed"]): string {
  if (failed.length === 0) return "";
  const rows = failed.slice(0, shownLines).map(({ uri, reason, message }) => {
    // The table has the URI in a column of its own.
    const text = message.startsWith(`${uri}: `) ? message.slice(uri.length + 2) : message;
    return `<tr><td>${html(readable(uri))}<td class="bad">${html(reason)}<td>${html(text)}`;
  });
  return `<details open><summary>${plural(failed.length, "field")} failed: ${html(failureCounts(failed))}${firstOf(failed.length, shownLines)}</summary>
<div><table><tr><th>field<th>reason<th>message
${rows.join("\n")}
</table></div></details>`;
}

/** Each warning once, with the fields that have it. */
function warningLines(fields: readonly SheetField[]): string[] {
  const names = new Map<string, string[]>();
  for (const { uri, name, warnings } of fields)
    for (const warning of new Set(warnings.map((text) => text.replaceAll(uri, "").replace(/^: /, ""))))
      names.set(warning, [...(names.get(warning) ?? []), name]);
  return [...names]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([warning, of]) => {
      const more = of.length > shownNames ? ` and ${of.length - shownNames} more` : "";
      return `<li>${html(warning)}: ${of.slice(0, shownNames).map(html).join(", ")}${more}`;
    });
}

function linesOf(what: string, lines: readonly string[], fields = lines.length): string {
  if (lines.length === 0) return "";
  return `<details><summary>${plural(fields, "field")} ${what}${firstOf(lines.length, shownLines)}</summary><ul>
${lines.slice(0, shownLines).join("\n")}
</ul></details>`;
}

function fieldTable(fields: readonly SheetField[]): string {
  if (fields.length === 0) return "";
  const most = Math.max(1, ...fields.map((field) => field.crops));
  const rows = fields.slice(0, shownFields).map((field) => {
    const bar = Math.round((field.crops / most) * 120);
    return `<tr><td>${field.number}<td>${html(field.name)}<td>${field.width} × ${field.height}<td>${pixelSize(field)}<td>${channels(field)}<td>${field.found}<td><i style="width:${bar}px"></i> ${field.crops}`;
  });
  return `<details><summary>${plural(fields.length, "field")} converted${firstOf(fields.length, shownFields)}</summary>
<div><table><tr><th>#<th>field<th>px<th>µm per px<th>channels<th>found<th>crops
${rows.join("\n")}
</table></div></details>`;
}

const firstOf = (count: number, shown: number) =>
  count > shown ? `; the first ${shown} are listed here` : "";

function pixelSize({ umPerPx }: SheetField): string {
  return umPerPx === 0 ? "not known" : String(Number(umPerPx.toPrecision(4)));
}

function channels(field: SheetField): string {
  return field.channels.map((name, c) => `<b style="color:${rgb(colourOf(c))}">${html(name)}</b>`).join(" ");
}

const rgb = (colour: readonly number[]) => `rgb(${colour.join(" ")})`;

function pageLinks(page: number, pages: number): string {
  const links = Array.from({ length: pages }, (_, i) =>
    i === page ? `<b>${i + 1}</b>` : `<a href="${htmlFile(i)}">${i + 1}</a>`,
  );
  return `<nav>page ${links.join(" ")}</nav>`;
}

function filters(shown: readonly SheetEntry[]): string {
  const count = (test: (entry: SheetEntry) => boolean) => shown.filter(test).length;
  const boxes = Object.entries(flagMarks).map(
    ([flag, { colour }]) =>
      `<label><input type="checkbox" checked value="${flag}"> <b style="color:${rgb(colour)}">${flag}</b> ${count(({ flags }) => flags.includes(flag))}</label>`,
  );
  return `<div class="bar"><span>Show crops</span><label><input type="checkbox" checked value=""> without flags ${count(({ flags }) => flags.length === 0)}</label>${boxes.join("")}</div>`;
}

/** The crops, before those of each field what it is. */
function cells(shown: readonly SheetEntry[], first: number, fields: ReadonlyMap<string, SheetField>): string {
  const lines: string[] = [];
  for (const [i, entry] of shown.entries()) {
    const field = fields.get(entry.field);
    if (field === undefined) continue;
    if (entry.field !== shown[i - 1]?.field) {
      const here = shown.filter((other) => other.field === entry.field).length;
      lines.push(fieldTile(field, here));
    }
    lines.push(cell(entry, first + i, field));
  }
  return lines.join("\n");
}

function fieldTile(field: SheetField, shown: number): string {
  const size = field.umPerPx === 0 ? "" : `, ${pixelSize(field)} µm/px`;
  return `<section class="field" data-field="${field.number}" title="${html(readable(field.uri))}"><h2>${field.number}</h2><h3>${html(field.name).replace(/[_-]/g, "$&<wbr>")}</h3>
<p>${field.width} × ${field.height} px${size}<br>${plural(field.crops, "crop")} of ${field.found} found, ${shown} shown<br>${channels(field)}</p></section>`;
}

function cell(entry: SheetEntry, index: number, field: SheetField): string {
  const { page, x, y } = placeOf(index);
  const area = entry.areaPx === 0 ? "" : `${entry.areaPx} px`;
  const um2 =
    entry.areaPx === 0 || field.umPerPx === 0 ? "" : `${Math.round(entry.areaPx * field.umPerPx ** 2)} µm²`;
  const probability = entry.probability < 0 ? "" : `p ${entry.probability.toFixed(2)}`;
  const facts = [area, um2, probability].filter(Boolean);
  // Both do not fit below the picture.
  const caption = [um2 || area, probability].filter(Boolean).join(" · ");
  const chips = entry.flags.map((flag) => {
    const mark = flagMarks[flag];
    return mark === undefined ? "" : `<b style="color:${rgb(mark.colour)}">${flag}</b> `;
  });
  const alt = `nucleus ${entry.label} of ${field.name}, ${[...facts, ...entry.flags].join(", ")}`;
  return `<figure data-field="${field.number}" data-flags="${entry.flags.join(" ")}" title="${html(entry.crop)}"><div class="t p${page}" role="img" aria-label="${html(alt)}" style="background-position:-${x}px -${y}px"></div><figcaption>${field.number}#${entry.label} <span>${caption}</span><br>${chips.join("")}</figcaption></figure>`;
}

/** A URI as people write it; for reading only. */
function readable(uri: string): string {
  try {
    return decodeURI(uri);
  } catch {
    return uri;
  }
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
