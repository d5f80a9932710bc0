import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ConversionRecipe } from "@cytomesh/contracts/jobs/v1/imaging";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { attempt } from "../../testing/run-job.ts";
import type { ImagingDeps } from "../deps.ts";
import { formatMetadataHandler } from "./format-job.ts";

async function world(t: TestContext, files: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), "format-"));
  const store = createObjectStore({});
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  const at = (name: string) => toUri(join(dir, name));
  return {
    at,
    format: (spec: object) =>
      attempt<"formatMetadata">(formatMetadataHandler({ store } as unknown as ImagingDeps), {
        outputUri: at("out.csv"),
        ...spec,
      }),
    out: () => readFile(join(dir, "out.csv"), "utf8"),
    report: async () => JSON.parse(await readFile(join(dir, "out.csv.report.json"), "utf8")),
  };
}

const header =
  "image,cell_id,orig_img_width,orig_img_height,orig_center_x,orig_center_y,orig_nuc_area,resz_image,resz_img_width,resz_img_height,resz_center_x,resz_center_y,resz_nuc_area\n";
const columns =
  "top,left,width,height,id,location,location_code,locations,gene_names,ensembl_ids,atlas_name,ImageWidth,ImageHeight,target,image_id,cell_id,nucleus_area,cell_area,resized_image_name";

test("OpenCell: 19 columns, corners as floats, joins counted and named, blank lines passed over", async (t) => {
  const image = (gene: string) => `OC-FOV_${gene}_ENSG00000127837_CID001050_FID00013888_proj.tif`;
  const line = (name: string, cell = 3) =>
    `${name},${cell},600,600,300,172,3000,x_resized.png,1546,1546,773,300,19900\n`;
  const { at, format, out, report } = await world(t, {
    "m.csv": `${header}${line(image("AAMP"))}\n${line(image("NONE"))}${line("strange.tif")}${line(image("TWO"))}${line(image("BOTH"))}`,
    "a.csv":
      "target_name,ensg_id,annotations_grade_3,annotations_grade_2,annotations_grade_1\nAAMP,ENSG00000127837,cytoplasmic;er,,nucleoplasm\n" +
      "TWO,ENSG1,er,,\nTWO,ENSG2,golgi,,\nBOTH,ENSG1,er,,\nBOTH,ENSG00000127837,,,\n",
  });
  const result = await format({
    recipe: ConversionRecipe.OPENCELL,
    metadataUri: at("m.csv"),
    annotationsUri: at("a.csv"),
  });
  const lines = (await out()).split("\n");
  assert.equal(lines[0], columns);
  assert.equal(columns.split(",").length, 19);
  assert.equal(
    lines[1],
    "-20.0,453.0,640,640,OC-FOV_AAMP_ENSG00000127837_CID001050_FID00013888_3,cytoplasmic;er,,cytoplasmic;er,AAMP,ENSG00000127837,HEK293T,1546,1546,,FID00013888,3,19900,,x_resized.png",
  );
  assert.equal(lines.length, 7);
  const { joins, rows } = result as { joins: Record<string, unknown>[]; rows: bigint };
  assert.equal(rows, 5n);
  assert.deepEqual(
    joins.map(({ name, matched, unmatched, ambiguous, unmatchedKeys, ambiguousKeys }) => [
      name,
      matched,
      unmatched,
      ambiguous,
      unmatchedKeys,
      ambiguousKeys,
    ]),
    [
      ["file_names", 4n, 1n, 0n, ["strange.tif"], []],
      ["annotations", 2n, 1n, 1n, ["NONE"], ["TWO"]],
    ],
  );
  const { notes } = await report();
  assert.deepEqual(notes, { withoutLocation: 1, ensemblIdsDisagree: 0 });
});

test("AllenCell: joins by image, structure and gene; the outdated gene name; the stage besides", async (t) => {
  const { at, format, out } = await world(t, {
    "m.csv":
      "image,orig_img_width,orig_img_height,resz_image,resz_img_width,resz_img_height\n" +
      ["aa", "bb", "cc"]
        .map((hash) => `${hash}_raw.ome.tif,200,300,${hash}_raw.ome_crop_resized.png,271,406\n`)
        .join(""),
    "cells.csv":
      "CellId,x,structure_name,crop_raw,FOVId,cell_stage\n7,,HIST1H2BJ,crop_raw/aa_raw.ome.tif,70,M0\n8,,AAVS1,crop_raw/bb_raw.ome.tif,71,M1M2\n",
    "loc.tsv": "structure_name\tlocation\nHIST1H2BJ\thistones\nAAVS1\tplasma membrane\n",
    "genes.tsv":
      "Gene stable ID\tGene name\tRefSeq\nENSG00000124635\tH2BC11\tNM\nENSG00000124635\tH2BC11\tNM_2\n",
  });
  const result = await format({
    recipe: ConversionRecipe.ALLENCELL,
    metadataUri: at("m.csv"),
    manifestUri: at("cells.csv"),
    locationsUri: at("loc.tsv"),
    genesUri: at("genes.tsv"),
  });
  assert.deepEqual((await out()).split("\n"), [
    `${columns},cell_stage`,
    "0,0,640,640,aa,histones,,histones,H2BC11,ENSG00000124635,WTC-11,271,406,,70,7,,,aa_raw.ome_crop_resized.png,M0",
    "0,0,640,640,bb,plasma membrane,,plasma membrane,AAVS1,,WTC-11,271,406,,71,8,,,bb_raw.ome_crop_resized.png,M1M2",
    "0,0,640,640,cc,,,,,,WTC-11,271,406,,,,,,cc_raw.ome_crop_resized.png,",
    "",
  ]);
  const { joins } = result as { joins: { name: string; matched: bigint; unmatchedKeys: string[] }[] };
  assert.deepEqual(
    joins.map(({ name, matched, unmatchedKeys }) => [name, matched, unmatchedKeys]),
    [
      ["manifest", 2n, ["cc_raw.ome.tif"]],
      ["locations", 2n, []],
      ["genes", 1n, ["AAVS1"]],
    ],
  );
});

test("a table without the columns is refused by name", async (t) => {
  const { at, format } = await world(t, { "m.csv": "image\n", "a.csv": "gene\n" });
  await assert.rejects(
    format({ recipe: ConversionRecipe.OPENCELL, metadataUri: at("m.csv"), annotationsUri: at("a.csv") }),
    { tag: "bad-table", message: /a\.csv.*target_name/ },
  );
});
