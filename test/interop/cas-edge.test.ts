import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { h5ad, startWorld } from "../../services/api/src/rest/testing/world.ts";

const python = process.env.CYTOMESH_PYTHON;
const script = join(import.meta.dirname, "cas_client.py");

interface Part {
  ok: boolean;
  error?: string;
  cells?: string[];
  with_answers?: number;
  answered?: number[];
  asked?: number[];
  scores_shape?: number[];
}

test("the unmodified CAS client works through the edge", {
  skip: !python && "CYTOMESH_PYTHON is not set",
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cytomesh-cas-"));
  const world = await startWorld({ tokens: ["secret"] });
  t.after(async () => {
    await world.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const file = join(folder, "cells.h5ad");
  // Other genes in another order, so that the client has to fit the matrix to the schema; three chunks.
  const genes = { index: ["ENSG02", "ENSG01", "extra", "ENSG05"], columns: {} };
  await writeFile(file, await h5ad({ cells: 25, var: genes }));
  const args = [script, world.url, file, "--token", "secret", "--chunk-size", "10"];
  const { stdout } = await promisify(execFile)(python as string, args, { maxBuffer: 64 * 1024 * 1024 });
  const answer = JSON.parse(stdout.slice(stdout.indexOf("{"))) as {
    missing?: string;
    parts: Record<string, Part>;
  };
  if (answer.missing !== undefined) return t.skip(answer.missing);
  for (const [name, part] of Object.entries(answer.parts)) assert.ok(part.ok, `${name}: ${part.error}`);
  const ids = Array.from({ length: 25 }, (_, i) => `cell-${i}`);
  for (const name of ["summary_statistics", "ontology_aware", "search"]) {
    assert.deepEqual(answer.parts[name]?.cells, ids, name);
    assert.equal(answer.parts[name]?.with_answers, 25, name);
  }
  assert.deepEqual(answer.parts.post_process?.scores_shape, [25, 3]);
  assert.deepEqual(answer.parts.query_cells?.answered, answer.parts.query_cells?.asked);
});
