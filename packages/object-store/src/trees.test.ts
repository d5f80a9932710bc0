import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { ObjectStoreError, sha256OfSource, stampOfSource, withLocalSource } from "./index.ts";
import { fileTestStore, s3TestStore, temporaryFolder } from "./testing/stores.ts";

for (const makeStore of [fileTestStore, s3TestStore])
  test(`objects and folders are hashed and held as files (${makeStore.name})`, async () => {
    const { store, base, name, stop } = await makeStore();
    const temp = await temporaryFolder();
    await store.put(`${base}one`, "1");
    for (const part of ["X/0.0", "zarr.json", "obs/cell%20type/0"])
      await store.put(`${base}a.zarr/${part}`, part);
    const hash = await sha256OfSource(store, `${base}a.zarr`);
    assert.equal(await sha256OfSource(store, `${base}a.zarr/`), hash);
    assert.notEqual(await sha256OfSource(store, `${base}one`), hash);
    let path = "";
    await withLocalSource(
      store,
      `${base}a.zarr/`,
      async (held) => {
        path = held;
        assert.equal(basename(held), "a.zarr");
        assert.equal(await readFile(join(held, "X/0.0"), "utf8"), "X/0.0");
        assert.equal((await readdir(held)).length, 3);
      },
      { tmpDir: temp.path },
    );
    assert.equal(existsSync(path), name === "file", "a copy is removed, the thing itself is not");
    assert.deepEqual(await readdir(temp.path), []);
    await withLocalSource(store, `${base}one`, async (held) =>
      assert.equal(await readFile(held, "utf8"), "1"),
    );
    await store.put(`${base}a.zarr/more`, "2");
    assert.notEqual(await sha256OfSource(store, `${base}a.zarr`), hash);
    for (const call of [
      () => sha256OfSource(store, `${base}none`),
      () => withLocalSource(store, `${base}none`, async () => undefined),
    ])
      await assert.rejects(
        call,
        (error) => error instanceof ObjectStoreError && error.tag === "object-not-found",
      );
    await stop();
    await temp.remove();
  });

test("a stamp tells whether an object was replaced, and is not given where it could not tell", async () => {
  const { store, base, stop } = await fileTestStore();
  const path = store.localPath(`${base}one`)!;
  const age = () => utimes(path, new Date(1e12), new Date(1e12));
  await store.put(`${base}one`, "1");
  assert.equal(await stampOfSource(store, `${base}one`), undefined, "too young");
  await age();
  const stamp = await stampOfSource(store, `${base}one`);
  assert.notEqual(stamp, undefined);
  assert.equal(await stampOfSource(store, `${base}one`), stamp);
  await writeFile(path, "2");
  assert.notEqual(await stampOfSource(store, `${base}one`), stamp);
  await store.put(`${base}one`, "3");
  await age();
  assert.notEqual(await stampOfSource(store, `${base}one`), stamp, "another file with the same time");
  assert.equal(await stampOfSource(store, base.replace(/\/$/, "")), undefined, "a folder");
  assert.equal(await stampOfSource(store, `${base}none`), undefined);
  await stop();
});
