import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { openStore } from "./local-store.ts";

test("the command line looks for S3 where its settings say", async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url?.split("?")[0]}`);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const;
  const before = keys.map((key) => process.env[key]);
  for (const key of keys) process.env[key] = "any";
  t.after(() => {
    for (const [i, key] of keys.entries())
      if (before[i] === undefined) delete process.env[key];
      else process.env[key] = before[i];
  });
  const { port } = server.address() as { port: number };
  const store = openStore({
    S3_ENDPOINT: `http://127.0.0.1:${port}`,
    AWS_REGION: "eu-x-1",
    GCS_ENDPOINT: "",
  });
  assert.equal(await store.head("s3://lab/model.onnx"), undefined);
  await store.close();
  assert.deepEqual(asked, ["HEAD /lab/model.onnx"]);
});
