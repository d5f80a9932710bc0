import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "@cytomesh/config";
import { storeLayout } from "./layout.ts";
import { defaultPorts } from "./settings.ts";
import { dataDirOf, loadBaseSettings, openStore } from "./tools.ts";

test("every service has ports of its own", () => {
  const ports = Object.values(defaultPorts).flatMap(({ grpc, health }) => [grpc, health]);
  assert.equal(new Set(ports).size, ports.length);
});

test("without any setting a service binds to loopback and finds the control plane there", () => {
  const settings = loadBaseSettings("worker", {});
  assert.equal(settings.CYTOMESH_INTERNAL_HOST, "127.0.0.1");
  assert.equal(settings.CYTOMESH_GRPC_PORT, defaultPorts.worker.grpc);
  assert.equal(settings.CYTOMESH_API_TARGET, `127.0.0.1:${defaultPorts.api.grpc}`);
  assert.equal(settings.NATS_URL, undefined);
});

test("one error lists every wrong setting", () => {
  const source = {
    CYTOMESH_GRPC_PORT: "99999",
    CYTOMESH_LOG_LEVEL: "loud",
    CYTOMESH_THREADS: "none",
    CYTOMESH_MAX_JOBS: "0",
    CYTOMESH_SHUTDOWN_GRACE: "soon",
    S3_ENDPOINT: "not a url",
  };
  assert.throws(
    () => loadBaseSettings("ingest", source),
    (error) => {
      assert.ok(error instanceof ConfigError);
      for (const name of Object.keys(source)) assert.match(error.message, new RegExp(name));
      return true;
    },
  );
});

test("the store defaults to the data directory, whose ~ is the home directory", () => {
  const settings = loadBaseSettings("worker", { CYTOMESH_DATA_DIR: "~/mesh" });
  assert.equal(dataDirOf(settings), `${process.env.HOME}/mesh`);
  assert.equal(openStore(settings).storeUri, `file://${process.env.HOME}/mesh/store`);
});

test("file roots keep users out of other folders, never the mesh out of its own store", async () => {
  const settings = loadBaseSettings("worker", {
    CYTOMESH_DATA_DIR: "/nowhere/mesh",
    CYTOMESH_FILE_ROOTS: "/nowhere/uploads",
  });
  const { store, storeUri } = openStore(settings);
  assert.equal(await store.head(`${storeUri}/a`), undefined);
  assert.equal(await store.head("file:///nowhere/uploads/a"), undefined);
  await assert.rejects(store.head("file:///nowhere/else"), { tag: "permission-denied" });
  await store.close();
});

test("the layout gives every kind of thing its own place", () => {
  const layout = storeLayout("s3://bucket/mesh");
  const uris = [
    layout.dataset("a"),
    layout.ingest("a", "i"),
    layout.bins("a"),
    layout.model("a"),
    layout.embedding("a"),
    layout.index("a"),
    layout.ontology("a"),
    layout.scratch("a"),
  ];
  assert.equal(new Set(uris).size, uris.length);
  for (const uri of uris) assert.ok(uri.startsWith("s3://bucket/mesh/"), uri);
});
