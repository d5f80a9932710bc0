import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Hdf5Error, openH5 } from "./index.ts";
import type { H5Reader } from "./types.ts";

const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../../shared/data");
const corrupt = join(data, "corrupt");

/** Touches every object, attribute and value; what cannot be read must say so with a typed error. */
function walk(file: H5Reader, path: string, depth: number): void {
  if (depth > 8) return;
  tolerate(() => {
    for (const name of file.attributeNames(path)) tolerate(() => file.attribute(path, name));
  });
  tolerate(() => {
    const kind = file.kind(path);
    if (kind === "dataset") file.read(file.dataset(path));
    if (kind === "group") for (const name of file.children(path)) walk(file, join(path, name), depth + 1);
  });
}

function tolerate(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof Hdf5Error, `untyped: ${(error as Error).stack}`);
    assert.ok(error.message.length > 10);
  }
}

for (const folder of ["hdf5_cve", "hdf5_other", "h5ad"]) {
  test(`every object of every file in corrupt/${folder} is read or refused with a typed error`, async (t) => {
    if (!existsSync(corrupt)) return t.skip("shared data not present");
    for (const name of readdirSync(join(corrupt, folder))) {
      let file: H5Reader;
      try {
        file = await openH5(join(corrupt, folder, name), { maxBytes: 64 * 1024 * 1024 });
      } catch (error) {
        assert.ok(error instanceof Hdf5Error, `${name}: ${(error as Error).stack}`);
        continue;
      }
      walk(file, "/", 0);
      file.close();
    }
  });
}
