import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { createLogger, runInCall } from "./index.ts";

function capture() {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = createLogger("test", "debug", destination);
  return { logger, last: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown> };
}

test("a line carries service, level name and the request id of its call", () => {
  const { logger, last } = capture();
  runInCall({ requestId: "r-9", deadline: undefined, signal: undefined }, () => logger.info("hello"));
  assert.deepEqual(
    [last().service, last().level, last().requestId, last().msg],
    ["test", "info", "r-9", "hello"],
  );
});

test("an error is logged with tag, stack and its causes in short, and no other field of it", () => {
  const { logger, last } = capture();
  const cause = new Error("disk gone", { cause: new Error("EIO") });
  const error = Object.assign(new Error("cannot write", { cause }), {
    tag: "storage",
    payload: "x".repeat(9_999),
  });
  logger.error({ err: error }, "failed");
  const logged = last().err as Record<string, unknown>;
  assert.deepEqual(Object.keys(logged), ["type", "message", "tag", "stack", "causes"]);
  assert.deepEqual(logged.causes, ["Error: disk gone", "Error: EIO"]);
});

test("values of keys that hold secrets are cut out", () => {
  const { logger, last } = capture();
  logger.info({ headers: { authorization: "Bearer abc" }, token: "abc" }, "call");
  assert.doesNotMatch(JSON.stringify(last()), /abc/);
});
