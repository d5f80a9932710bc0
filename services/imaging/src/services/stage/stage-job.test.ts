import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { createObjectStore, type ObjectStore, ObjectStoreError, toUri } from "@cytomesh/object-store";
import { attempt, type JobItems } from "../../testing/run-job.ts";
import type { ImagingDeps } from "../deps.ts";
import { stageHandler } from "./stage-job.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function world(t: TestContext, files: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), "stage-"));
  const store = createObjectStore({});
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(dir, "in", name, ".."), { recursive: true });
    await writeFile(join(dir, "in", name), text);
  }
  const spec = {
    listing: { prefixUri: `${toUri(join(dir, "in"))}/` },
    outputUri: toUri(join(dir, "out")),
    shards: 3,
  };
  const stage = (
    store_: ObjectStore,
    more: Partial<typeof spec> & { keepPaths?: boolean } = {},
    items: JobItems = new Map(),
    number = 1,
  ) =>
    attempt<"stage">(stageHandler({ store: store_ } as unknown as ImagingDeps), { ...spec, ...more }, items, {
      number,
    });
  const output = async () => {
    const out = join(dir, "out");
    const entries = await readdir(out, { recursive: true, withFileTypes: true }).catch(() => []);
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return Object.fromEntries(
      await Promise.all(
        paths.sort().map(async (path) => [path.slice(out.length + 1), await readFile(path, "utf8")]),
      ),
    ) as Record<string, string>;
  };
  return { dir, store, stage, output, spec };
}

const seven = Object.fromEntries(
  Array.from({ length: 7 }, (_, i) => [`d${i % 2}/f${i}.tif`, `content ${i}`]),
);

test("files are dealt to shards in turn, with their hashes", async (t) => {
  const { store, stage, output, spec } = await world(t, seven);
  const result = (await stage(store)) as { files: bigint; bytes: bigint; shards: number };
  assert.deepEqual([result.files, result.bytes, result.shards], [7n, 63n, 3]);
  const files = await output();
  const ordered = Object.keys(seven).sort();
  for (const [i, name] of ordered.entries())
    assert.equal(files[`shards/0000${i % 3}/${name.slice(3)}`], seven[name]);
  const lines = (files["staged.csv"] ?? "").trim().split("\n");
  assert.equal(lines[0], "source,uri,bytes,sha256");
  assert.equal(
    lines[1],
    `${spec.listing.prefixUri}d0/f0.tif,${spec.outputUri}/shards/00000/f0.tif,9,${sha256("content 0")}`,
  );
  assert.equal(lines.length, 8);
  assert.equal(files["errors.csv"], "uri,reason,message,tries\n");
  assert.equal(JSON.parse(files["manifest.json"] ?? "").files, 7);
  await stage(store);
  assert.deepEqual(await output(), files, "the same request again changes nothing");
  await assert.rejects(stage(store, { shards: 2 }), {
    tag: "output-conflict",
    message: /differing in shards/,
  });
});

test("files that share a name are refused before anything is copied, or keep their paths", async (t) => {
  const { store, stage, output, spec } = await world(t, { "a/x.tif": "1", "b/x.tif": "2" });
  await assert.rejects(stage(store), { tag: "name-collision", message: /a\/x\.tif and .*b\/x\.tif/ });
  assert.equal(
    Object.keys(await output()).some((name) => name.startsWith("shards/")),
    false,
  );
  await stage(store, { keepPaths: true, outputUri: `${spec.outputUri}/kept` });
  assert.equal((await output())["kept/shards/00001/b/x.tif"], "2");
});

test("a file that fails does not stop the others, a passing failure is tried again, the rest is made good later", async (t) => {
  const { store, stage, output, spec } = await world(t, seven);
  const failing = new Map([
    [`${spec.listing.prefixUri}d0/f0.tif`, { times: 2, tag: "store-unavailable" }],
    [`${spec.listing.prefixUri}d1/f3.tif`, { times: 99, tag: "permission-denied" }],
  ]);
  const flaky = new Proxy(store, {
    get(target, name) {
      if (name !== "stream") return Reflect.get(target, name);
      return async (uri: string, options: object) => {
        const rule = failing.get(uri);
        if (rule !== undefined && rule.times-- > 0)
          throw new ObjectStoreError(rule.tag as "store-unavailable", `no ${uri}`, { uri });
        return target.stream(uri, options);
      };
    },
  });
  const items: JobItems = new Map();
  await assert.rejects(stage(flaky, {}, items), {
    tag: "files-failed",
    message: /^1 of 7 file\(s\) failed: no .*f3/,
  });
  const files = await output();
  assert.equal(
    (files["errors.csv"] ?? "").split("\n")[1],
    `${spec.listing.prefixUri}d1/f3.tif,permission-denied,no ${spec.listing.prefixUri}d1/f3.tif,1`,
  );
  assert.equal(files["manifest.json"], undefined);
  assert.equal((files["staged.csv"] ?? "").trim().split("\n").length, 7);
  await stage(store);
  assert.ok((await output())["manifest.json"]);
});

test("killed at any step, the next attempt ends with the same bytes", async (t) => {
  const calm = await world(t, seven);
  let calls = 0;
  const dying = (store: ObjectStore, n: number): ObjectStore =>
    new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== "function" || name === "localPath" || name === "list") return member;
        return async (...args: unknown[]) => {
          calls += 1;
          if (calls > n) throw Object.assign(new Error("dead"), { code: "DEAD" });
          const result = await member.apply(target, args);
          if (calls < n) return result;
          if (result instanceof Readable) result.destroy();
          throw Object.assign(new Error("killed"), { code: "DEAD" });
        };
      },
    });
  await calm.stage(dying(calm.store, Number.POSITIVE_INFINITY));
  const steps = calls;
  const relative = (files: Record<string, string>, dir: string) =>
    JSON.stringify(files)
      .replaceAll(dir, "")
      .replaceAll(/"sha256": "[0-9a-f]*"|\\"size\\": \d+|\\"sha256\\": \\"[0-9a-f]*\\"/g, "");
  const expected = relative(await calm.output(), calm.dir);
  assert.ok(steps > 20, `${steps} steps`);
  for (let n = 0; n <= steps; n++) {
    const { dir, store, stage, output } = await world(t, seven);
    const items: JobItems = new Map();
    calls = 0;
    await assert.rejects(stage(dying(store, n), {}, items), /dead|killed/, `step ${n}`);
    await stage(store).catch((error) => assert.fail(`step ${n}: ${error}`));
    assert.equal(relative(await output(), dir), expected, `killed after step ${n} of ${steps}`);
  }
});

test("an OME-Zarr image is copied as the folder that it is, into one shard", async (t) => {
  const objects = { ".zattrs": "{}", "0/.zarray": "[]", "0/0/0/50%": "chunk" };
  const files = Object.entries(objects).map(([path, text]) => [`a #1.ome.zarr/${path}`, text]);
  const { stage, output } = await world(t, { ...Object.fromEntries(files), "b.tif": "b" });
  await stage((await world(t, {})).store, { shards: 2 });
  const { "staged.csv": table, ...written } = await output();
  for (const [path, text] of Object.entries(objects))
    assert.equal(written[`shards/00000/a #1.ome.zarr/${path}`], text);
  assert.equal(written["shards/00001/b.tif"], "b");
  const lines = Object.entries(objects).map(([path, text]) => `${sha256(text)}  ${path}\n`);
  assert.match(String(table), new RegExp(`a%20%231\\.ome\\.zarr,9,${sha256(lines.join(""))}\n`));
});
