import assert from "node:assert/strict";
import { test } from "node:test";
import type { Model } from "@cytomesh/contracts/catalog/v1/resources";
import { currentCall, runInCall } from "@cytomesh/rpc";
import { cachedLookups } from "./cached-lookups.ts";
import type { CatalogLookups } from "./catalog.ts";

function counting() {
  const asked: string[] = [];
  let failing = false;
  const answer = async (name: string): Promise<never> => {
    asked.push(name);
    if (failing) throw new Error("away");
    return { name, inCall: currentCall() !== undefined } as never;
  };
  const catalog: CatalogLookups = {
    model: answer,
    defaultModel: () => answer("default"),
    index: answer,
    indexesOf: answer,
    ontology: answer,
  };
  return { asked, catalog, fail: (on: boolean) => (failing = on) };
}

test("an answer is asked for once per name and time to live, however many want it", async () => {
  const { asked, catalog } = counting();
  let now = 0;
  const cached = cachedLookups(catalog, 5_000, () => now);
  await Promise.all([cached.model("a"), cached.model("a"), cached.model("b"), cached.index("a")]);
  now = 4_999;
  await cached.model("a");
  assert.deepEqual(asked, ["a", "b", "a"]);
  now = 5_001;
  await cached.model("a");
  await cached.defaultModel();
  assert.deepEqual(asked, ["a", "b", "a", "a", "default"]);
});

test("failures are not remembered", async () => {
  const { asked, catalog, fail } = counting();
  const cached = cachedLookups(catalog, 5_000, () => 0);
  fail(true);
  await assert.rejects(cached.index("i"), /away/);
  fail(false);
  await cached.index("i");
  assert.equal(asked.length, 2);
});

test("a shared answer does not hang on the request that asked first", async () => {
  const { catalog } = counting();
  const cached = cachedLookups(catalog, 5_000, () => 0);
  const call = { requestId: "r", deadline: undefined, signal: undefined };
  const model = await runInCall(call, () => cached.model("a"));
  assert.equal((model as Model & { inCall: boolean }).inCall, false);
});
