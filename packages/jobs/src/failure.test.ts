import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { toConnectError } from "@cytomesh/rpc";
import { describeFailure, JobFailure } from "./failure.ts";

const tagged = (tag: string, grpcCode: string) =>
  Object.assign(new Error("what happened"), { tag, grpcCode, httpStatus: 500 });

test("a job failure says itself whether another try may help", () => {
  assert.deepEqual(describeFailure(new JobFailure("no-good", "it is no good")), {
    reason: "no-good",
    message: "it is no good",
    retryable: false,
  });
  assert.equal(describeFailure(new JobFailure("later", "not yet", { retryable: true })).retryable, true);
});

test("errors of the mesh are retried by their gRPC code", () => {
  const retried = ["unavailable", "aborted", "deadline_exceeded", "resource_exhausted", "internal"];
  const final = [
    "invalid_argument",
    "not_found",
    "failed_precondition",
    "data_loss",
    "unimplemented",
    "permission_denied",
  ];
  for (const code of retried) assert.equal(describeFailure(tagged("t", code)).retryable, true, code);
  for (const code of final) assert.equal(describeFailure(tagged("t", code)).retryable, false, code);
  assert.equal(describeFailure(tagged("not-anndata", "invalid_argument")).reason, "not-anndata");
});

test("an error that says that it may pass is retried whatever its code", () => {
  const damaged = Object.assign(tagged("corrupt-transfer", "data_loss"), { retryable: true });
  assert.equal(describeFailure(damaged).retryable, true);
  assert.equal(
    describeFailure(Object.assign(tagged("storage-full", "resource_exhausted"), { retryable: false }))
      .retryable,
    true,
  );
});

test("an error of another service keeps its tag, or else its code, and its message without the code", () => {
  const far = toConnectError(tagged("no-such-dataset", "not_found"));
  assert.deepEqual(describeFailure(far), {
    reason: "no-such-dataset",
    message: "what happened",
    retryable: false,
  });
  assert.deepEqual(describeFailure(new ConnectError("gone", Code.DeadlineExceeded)), {
    reason: "deadline-exceeded",
    message: "gone",
    retryable: true,
  });
});

test("a full disk and a broken connection may pass, a missing file does not come back", () => {
  const system = (code: string) => Object.assign(new Error(code), { code });
  assert.equal(describeFailure(system("ENOSPC")).reason, "disk-full");
  assert.equal(describeFailure(system("ENOSPC")).retryable, true);
  assert.equal(describeFailure(system("ECONNRESET")).retryable, true);
  assert.equal(describeFailure(system("ENOENT")).retryable, false);
});

test("what is too large stays so and is not tried again, a full disk and a busy service are", () => {
  const exhausted = (tag: string, httpStatus: number) =>
    Object.assign(new Error("what happened"), { tag, grpcCode: "resource_exhausted", httpStatus });
  // The tags that the packages and services of the mesh have, in either spelling.
  for (const tag of ["too-large", "too_large", "object-too-large", "result-too-large", "upload-too-large"]) {
    const error = exhausted(tag, 413);
    assert.equal(describeFailure(error).retryable, false, tag);
    assert.equal(describeFailure(toConnectError(error)).retryable, false, `${tag} of another service`);
  }
  for (const [tag, httpStatus] of [
    ["storage-full", 507],
    ["queue_full", 429],
  ] as const) {
    const error = exhausted(tag, httpStatus);
    assert.equal(describeFailure(error).retryable, true, tag);
    assert.equal(describeFailure(toConnectError(error)).retryable, true, `${tag} of another service`);
  }
  const grpc = (message: string) =>
    describeFailure(new ConnectError(message, Code.ResourceExhausted)).retryable;
  assert.equal(grpc("Received message larger than max (40000000 vs 33554432)"), false);
  assert.equal(grpc("Attempted to send message larger than max (40000000 vs. 33554432)"), false);
  assert.equal(grpc("Bandwidth exhausted or memory limit exceeded"), true);
});

test("a time limit inside the handler may pass", () => {
  assert.deepEqual(describeFailure(new DOMException("the operation timed out", "TimeoutError")), {
    reason: "timeout",
    message: "the operation timed out",
    retryable: true,
  });
});

test("anything thrown has a reason and a message", () => {
  assert.deepEqual(describeFailure("out of luck"), {
    reason: "internal",
    message: "out of luck",
    retryable: true,
  });
  assert.equal(describeFailure(new TypeError("")).message, "TypeError");
});
