import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openImageBytes } from "@cytomesh/microscopy";
import type { SheetEntry } from "../convert/field-output.ts";
import { thumbSize } from "../convert/thumbnail.ts";
import { makeContactSheet } from "./contact-sheet.ts";
import { perHtml } from "./sheet-html.ts";
import { perPage, placeOf, scaleBarOf, thumbBytes } from "./sheet-pages.ts";
import type { SheetField, SheetSummary } from "./sheet-summary.ts";

const task = {
  signal: new AbortController().signal,
  progress: () => undefined,
  breathe: async () => undefined,
};

function fieldOf(number: number, more: Partial<SheetField> = {}): SheetField {
  return {
    number,
    field: `f-${number}`,
    uri: `gs://plates/one/f ${number}.tif`,
    name: `f ${number}.tif`,
    width: 500,
    height: 400,
    umPerPx: 0.325,
    channels: ["Hoechst", "GFP"],
    found: 9,
    crops: 3,
    warnings: [],
    ...more,
  };
}

function entryOf(field: number, label: number, more: Partial<SheetEntry> = {}): SheetEntry {
  const one = {
    field: `f-${field}`,
    label,
    crop: `crops/f-${field}_${label}`,
    areaPx: 800,
    probability: 0.91,
  };
  return { ...one, cropPx: 96, umPerPx: 0.325, flags: [], ...more };
}

async function sheetOf(t: TestContext, summary: Partial<SheetSummary>, entries: readonly SheetEntry[]) {
  const dir = await mkdtemp(join(tmpdir(), "sheet-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const thumbs = join(dir, "thumbs.rgb");
  // The colour of a thumbnail tells which it is.
  const bytes = Buffer.alloc(entries.length * thumbBytes);
  for (const i of entries.keys()) bytes.fill(60 + (i % 190), i * thumbBytes, (i + 1) * thumbBytes);
  await writeFile(thumbs, bytes);
  const fields = [...new Set(entries.map(({ field }) => Number(field.slice(2))))].map((n) => fieldOf(n));
  const whole: SheetSummary = {
    recipe: "generic",
    segmentation: "stardist",
    fields,
    failed: [],
    crops: entries.length,
    shown: entries.length,
    ...summary,
  };
  const files = await makeContactSheet({ summary: whole, entries, thumbs }, task);
  const text = (name: string) =>
    Buffer.from(files.find((file) => file.name === name)?.bytes ?? []).toString();
  return { files, text };
}

test("a sheet names fields, channels, cells, flags and what failed, and escapes all of it", async (t) => {
  const failed = [
    { uri: "gs://p/<a>.tif", reason: "corrupt", message: 'gs://p/<a>.tif: expected "II" & more' },
    { uri: "gs://p/b.tif", reason: "corrupt", message: "short" },
    { uri: "gs://p/c.tif", reason: "too-large", message: "big" },
  ];
  const warnings = ["gs://plates/one/f 1.tif: pages without a meaning"];
  const fields = [
    fieldOf(1, { channels: ["<DNA>", "GFP"], warnings }),
    fieldOf(2, { umPerPx: 0 }),
    fieldOf(3, { crops: 0 }),
  ];
  const entries = [
    entryOf(1, 1, { flags: ["padded", "saturated"] }),
    entryOf(1, 7),
    entryOf(2, 2, { umPerPx: 0, probability: -1 }),
  ];
  const { text } = await sheetOf(t, { fields, failed, crops: 9, shown: 3 }, entries);
  const page = text("index.html");
  for (const part of [
    "<h1>9 crops of 6 fields</h1>",
    ">3 failed<",
    ">1 without a nucleus<",
    "3 fields failed: 2 corrupt, 1 too-large",
    "&#60;a&#62;.tif",
    "expected &#34;II&#34; &#38; more",
    "pages without a meaning: f 1.tif",
    "f 3.tif, 9 found before filters",
    "&#60;DNA&#62;",
    'aria-label="nucleus 1 of f 1.tif, 800 px, 85 µm², p 0.91, padded, saturated"',
    'aria-label="nucleus 2 of f 2.tif, 800 px"',
    "500 × 400 px, 0.325 µm/px",
    'data-flags="padded saturated"',
    "3 of 9 crops are shown",
  ])
    assert.ok(page.includes(part), part);
  assert.equal(page.includes("<a>.tif") || page.includes("<DNA>"), false);
  assert.equal(/https?:|@import|<link|<img|src=/.test(page), false, "nothing from elsewhere");
});

test("thousands of crops are spread over pages that only need each other", async (t) => {
  const count = perHtml + 5;
  const entries = Array.from({ length: count }, (_, i) => entryOf(1 + Math.floor(i / 2), 1 + (i % 2)));
  const { files, text } = await sheetOf(t, {}, entries);
  const pages = Math.ceil(count / perPage);
  assert.deepEqual(
    files.map(({ name }) => name),
    [...Array.from({ length: pages }, (_, i) => `page-${i + 1}.png`), "index.html", "crops-2.html"],
  );
  const names = new Set(files.map(({ name }) => name));
  const shown = ["index.html", "crops-2.html"].map((name) => {
    const page = text(name);
    for (const [, target] of page.matchAll(/(?:url\(|href=")([^)"]+)/g))
      assert.ok(names.has(target!), target);
    // Every picture comes from a page that this one names.
    for (const [, sprite] of page.matchAll(/class="t (p\d+)"/g))
      assert.ok(page.includes(`.${sprite}{`), sprite);
    return page.match(/<figure/g)?.length;
  });
  assert.deepEqual(shown, [perHtml, 5]);
});

test("a crop lies on its PNG page where the HTML looks for it, with a scale bar of a round length", async (t) => {
  const entries = Array.from({ length: perPage + 3 }, (_, i) =>
    entryOf(1, i + 1, i === 1 ? { umPerPx: 0 } : {}),
  );
  const { files } = await sheetOf(t, {}, entries);
  for (const index of [0, 1, perPage - 1, perPage + 2]) {
    const { page, x, y } = placeOf(index);
    await using image = await openImageBytes(Uint8Array.from(files[page]!.bytes), "page");
    const plane = await image.plane({ region: { x, y, width: thumbSize, height: thumbSize } });
    const values = plane.data as Uint8Array;
    assert.equal(values[0], 60 + (index % 190));
    const white = values.filter((value) => value === 255).length / 3;
    // 10 µm of 31.2: 41 × 3 pixels, and the number.
    assert.ok(index === 1 ? white === 0 : white > 41 * 3 && white < 41 * 3 + 40, `${white}`);
  }
  assert.deepEqual(scaleBarOf(entries[0]!), { um: 10, px: 41 });
  assert.equal(scaleBarOf(entries[1]!), undefined);
});
