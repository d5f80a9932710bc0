import assert from "node:assert/strict";
import { test } from "node:test";
import { createLru } from "./lru.ts";

test("what was not used for longest is closed before room is taken", async () => {
  const events: string[] = [];
  const lru = createLru<string>(async (value) => void events.push(`close ${value}`));
  const get = (key: string) =>
    lru.get(key, 2, async () => {
      events.push(`open ${key}`);
      return key;
    });
  for (const key of ["a", "b", "a", "c", "a", "b"]) assert.equal(await get(key), key);
  assert.deepEqual(events, ["open a", "open b", "close b", "open c", "close c", "open b"]);
});

test("what could not be opened is tried again", async () => {
  const lru = createLru<number>(async () => undefined);
  await assert.rejects(
    lru.get("k", 1, () => Promise.reject(new Error("damaged"))),
    /damaged/,
  );
  assert.equal(await lru.get("k", 1, async () => 7), 7);
});
