import assert from "node:assert/strict";
import { test } from "node:test";
import { startProgress } from "./progress.ts";

test("the time left counts from where the watching began, and anew when a step begins again", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const lines: string[] = [];
  const stream = { isTTY: false, write: (text: string) => lines.push(text) > 0 };
  const line = startProgress("convert", stream as unknown as NodeJS.WriteStream);
  const after = (seconds: number, done: number) => {
    t.mock.timers.tick(seconds * 1_000);
    line.update({ done, total: 1_000, unit: "fields", message: "" });
    return lines.at(-1);
  };
  // Looked at from its middle: what was done before took no time of this.
  assert.match(after(6, 500) ?? "", /50% {2}500 \/ 1,000 fields {2}6\.0 s\n$/);
  assert.match(after(10, 600) ?? "", /600 \/ 1,000 fields {2}16\.0 s, 40\.0 s left/);
  assert.match(after(10, 100) ?? "", /100 \/ 1,000 fields {2}26\.0 s\n$/);
  assert.match(after(10, 200) ?? "", /200 \/ 1,000 fields {2}36\.0 s, 1m 20s left/);
});
