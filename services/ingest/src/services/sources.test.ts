import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { copyAnnData } from "@cytomesh/anndata";
import {
  type IngestedFile,
  type IngestSpecSchema,
  IngestedFile_Outcome as Outcome,
} from "@cytomesh/contracts/jobs/v1/specs";
import { JobFailure } from "@cytomesh/jobs";
import { attempt, newJobRun } from "@cytomesh/jobs/testing";
import { toUri } from "@cytomesh/object-store";
import { writeLayout } from "../testing/h5ad.ts";
import { makeWorld, pool, readBack } from "../testing/world.ts";
import { ingestHandler } from "./ingest-job.ts";
import { inspectFile } from "./inspect-file.ts";

let world: Awaited<ReturnType<typeof makeWorld>>;
before(async () => {
  world = await makeWorld();
});
after(async () => {
  await pool.close();
  await world.close();
});

let made = 0;
/** A Matrix Market folder of three cells, two genes and an antibody. */
async function mtxFolder(): Promise<string> {
  const folder = world.path(`mtx-${made++}`);
  await mkdir(folder);
  const write = (name: string, text: string) => writeFile(join(folder, `${name}.gz`), gzipSync(text));
  await write(
    "matrix.mtx",
    "%%MatrixMarket matrix coordinate integer general\n3 3 4\n1 1 5\n3 1 100\n2 2 7\n1 3 9\n",
  );
  await write("barcodes.tsv", "AAA-1\nCCC-1\nGGG-1\n");
  await write(
    "features.tsv",
    "ENSG1\tA\tGene Expression\nENSG2\tB\tGene Expression\nCD3\tCD3\tAntibody Capture\n",
  );
  return folder;
}

type Spec = MessageInitShape<typeof IngestSpecSchema>;
const ingest = (spec: Spec) =>
  attempt(
    ingestHandler(world.deps),
    { case: "ingest", value: { dataset: "d", ...spec } },
    newJobRun(),
  ) as Promise<{
    files: IngestedFile[];
  }>;

async function failed(spec: Spec): Promise<JobFailure> {
  const error = await ingest(spec).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof JobFailure, String(error));
  return error;
}

async function stored(file: IngestedFile | undefined) {
  return readBack(world.ingestDir("d", file?.ingestId ?? ""), world.path(`curriculum-${made++}`));
}

test("a Matrix Market folder is ingested, of its features the genes unless all are wanted", async () => {
  const uri = `${toUri(await mtxFolder())}/`;
  const { files } = await ingest({ uris: [uri] });
  assert.deepEqual([files[0]?.outcome, files[0]?.cells, files[0]?.features], [Outcome.COMMITTED, 3n, 2n]);
  const genes = await stored(files[0]);
  assert.deepEqual(genes.features, ["ENSG1", "ENSG2"]);
  assert.deepEqual(genes.dense, [
    [5, 0],
    [0, 7],
    [9, 0],
  ]);
  const again = await ingest({ uris: [uri] });
  assert.deepEqual(
    [again.files[0]?.outcome, again.files[0]?.sha256],
    [Outcome.ALREADY_PRESENT, files[0]?.sha256],
  );
  const all = await ingest({ uris: [uri], allFeatureTypes: true });
  assert.deepEqual([all.files[0]?.outcome, all.files[0]?.features], [Outcome.COMMITTED, 3n]);
  assert.deepEqual((await stored(all.files[0])).dense[0], [5, 0, 100]);
  assert.deepEqual(await readdir(world.tempDir), [], "what was parsed is removed");
});

test("zarr, a folder or a zip, is ingested like the .h5ad it was made of", async () => {
  const path = world.path("source.h5ad");
  const rows = [
    [1, 0],
    [0, 2],
  ];
  writeLayout(path, {
    cells: ["a", "b"],
    genes: ["g0", "g1"],
    x: { rows, layout: "csr" },
    obs: { kind: ["T", "B"] },
  });
  const uris = [path];
  for (const name of ["source.zarr", "source.zarr.zip"]) {
    await copyAnnData(path, world.path(name), { format: "zarr" });
    uris.push(world.path(name));
  }
  const { files } = await ingest({ uris: uris.map(toUri) });
  for (const file of files) {
    assert.equal(file.outcome, Outcome.COMMITTED, file.uri);
    const { features, dense } = await stored(file);
    assert.deepEqual([features, dense], [["g0", "g1"], rows], file.uri);
  }
});

test("a profile and gene lists keep files out, with everything that is wrong; warnings keep nothing out", async () => {
  const folder = await mtxFolder();
  const list = world.path("genes.csv.gz");
  await writeFile(list, gzipSync("ENSG1,A,1,1000,protein_coding\n"));
  const refused = await failed({ uris: [toUri(folder)], profile: "cas", geneListUris: [toUri(list)] });
  for (const pattern of [
    /obs has no column assay_ontology_term_id/,
    /features of var are not in genes.csv.gz/,
  ])
    assert.match(
      JSON.stringify((refused.partialResult as { files: IngestedFile[] }).files[0]?.problems),
      pattern,
    );
  await assert.rejects(ingest({ uris: [toUri(folder)], profile: "cellxgene" }), {
    tag: "bad-profile",
    message: /no validation profile "cellxgene"; there are minimal/,
  });
  await writeFile(list, "[1]");
  await assert.rejects(ingest({ uris: [toUri(folder)], geneListUris: [toUri(list)] }), {
    tag: "bad-gene-list",
  });

  const even = world.path("even.h5ad");
  const cells = Array.from({ length: 30 }, (_, i) => `c${i}`);
  writeLayout(even, {
    cells,
    genes: ["g0", "g1"],
    x: { rows: cells.map((_, i) => [i + 1, 999 - i]), layout: "csr" },
  });
  const { files } = await ingest({ uris: [toUri(even)], profile: "counts", validateOnly: true });
  assert.equal(files[0]?.outcome, Outcome.VALID);
  assert.match(files[0]?.warnings.join() ?? "", /normalised and rounded, or down-sampled/);
  const looked = await inspectFile(
    world.deps,
    { uri: toUri(even), profile: "counts", geneListUris: [] },
    AbortSignal.timeout(60_000),
  );
  assert.deepEqual(
    looked.findings.map(({ code, severity, where }) => [code, severity, where]),
    [["scaled_counts", "warning", "X"]],
  );
  assert.deepEqual(looked.problems, []);
});
