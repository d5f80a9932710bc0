import assert from "node:assert/strict";
import test from "node:test";
import { localFile } from "./local-resources.ts";

test("a file of the store is found by its key, percent signs and all", async () => {
  const asked: unknown[] = [];
  const copies = {
    folder: async (uri: string, key: string, { files }: { files?: readonly string[] }) => {
      asked.push([uri, key, files]);
      return "/local";
    },
  };
  const { signal } = new AbortController();
  for (const [uri, folder, file] of [
    ["s3://bucket/50%/my%20cl.json", "s3://bucket/50%", "my%20cl.json"],
    ["gs://bucket/100%.json", "gs://bucket", "100%.json"],
    ["file:///a%20b/my%20cl.json", "file:///a%20b", "my cl.json"],
  ] as const) {
    const found = await localFile(copies, "ontologies", { name: "n", uri, sha256: "s" }, signal);
    assert.equal(found.path, `/local/${file}`);
    assert.deepEqual(asked.pop(), [folder, "ontologies/s", [file]]);
  }
});
