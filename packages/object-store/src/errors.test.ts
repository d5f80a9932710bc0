import assert from "node:assert/strict";
import { test } from "node:test";
import { mapFsError } from "./file-errors.ts";
import { mapGcsError } from "./gcs-backend.ts";
import { OBJECT_STORE_ERRORS, ObjectStoreError, type ObjectStoreErrorTag } from "./index.ts";
import { mapS3Error } from "./s3-backend.ts";

const URI = "s3://cells/x";

function tagOf(error: Error | undefined): string | undefined {
  return error === undefined ? undefined : (error as ObjectStoreError).tag;
}

test("every error carries its code, status and cause", () => {
  for (const [tag, mapping] of Object.entries(OBJECT_STORE_ERRORS)) {
    const cause = new Error("below");
    const error = new ObjectStoreError(tag as ObjectStoreErrorTag, "message", { uri: URI, cause });
    assert.equal(error.grpcCode, mapping.grpcCode);
    assert.equal(error.httpStatus, mapping.httpStatus);
    assert.equal(error.cause, cause);
    assert.equal(error.uri, URI);
  }
});

test("HTTP statuses of both clouds mean the same", () => {
  const expected: [number, string | undefined][] = [
    [400, "invalid-uri"],
    [401, "unauthenticated"],
    [403, "permission-denied"],
    [404, "object-not-found"],
    [409, "write-conflict"],
    [412, "object-exists"],
    [413, "object-too-large"],
    [416, "invalid-range"],
    [429, "store-unavailable"],
    [500, "store-unavailable"],
    [503, "store-unavailable"],
    [418, undefined],
  ];
  for (const [status, tag] of expected) {
    const s3 = Object.assign(new Error("x"), { $metadata: { httpStatusCode: status } });
    assert.equal(tagOf(mapS3Error(s3, URI)), tag, `S3 ${status}`);
    for (const shape of [{ code: status }, { code: String(status) }, { status }, { response: { status } }]) {
      assert.equal(tagOf(mapGcsError(Object.assign(new Error("x"), shape), URI)), tag, `GCS ${status}`);
    }
  }
});

test("network failures are retryable, also as a cause", () => {
  for (const code of ["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "EPIPE"]) {
    const plain = Object.assign(new Error("x"), { code });
    for (const error of [plain, new Error("fetch failed", { cause: plain })]) {
      for (const mapped of [mapS3Error(error, URI), mapGcsError(error, URI)]) {
        assert.equal(tagOf(mapped), "store-unavailable", code);
        assert.equal((mapped as ObjectStoreError).retryable, true);
      }
    }
  }
  assert.equal(mapS3Error(new Error("something else"), URI), undefined);
});

test("missing or stale credentials are unauthenticated", () => {
  const named = (name: string) => Object.assign(new Error("x"), { name, $metadata: { httpStatusCode: 400 } });
  assert.equal(tagOf(mapS3Error(named("CredentialsProviderError"), URI)), "unauthenticated");
  assert.equal(tagOf(mapS3Error(named("ExpiredToken"), URI)), "unauthenticated");
  assert.equal(
    tagOf(mapGcsError(new Error("Could not load the default credentials. Browse"), URI)),
    "unauthenticated",
  );
});

test("an upload that the store found damaged may be tried again", () => {
  const s3 = (name: string) => Object.assign(new Error("x"), { name, $metadata: { httpStatusCode: 400 } });
  const said = 'Provided CRC32C "AAAAAA==" doesn\'t match calculated CRC32C "kAiaOw==".';
  for (const mapped of [
    mapS3Error(s3("BadDigest"), URI),
    mapS3Error(s3("XAmzContentChecksumMismatch"), URI),
    mapGcsError(Object.assign(new Error(said), { code: 400 }), URI),
  ]) {
    assert.equal(tagOf(mapped), "corrupt-transfer");
    assert.equal((mapped as ObjectStoreError).retryable, true);
  }
});

test("file system codes", () => {
  const expected: [string, string | undefined][] = [
    ["ENOENT", "object-not-found"],
    ["EACCES", "permission-denied"],
    ["EROFS", "permission-denied"],
    ["ENOTDIR", "path-conflict"],
    ["ENOSPC", "storage-full"],
    ["ENAMETOOLONG", "invalid-uri"],
    ["EMFILE", "store-unavailable"],
    ["EIO", undefined],
  ];
  for (const [code, tag] of expected) {
    assert.equal(tagOf(mapFsError(Object.assign(new Error("x"), { code }), "file:///x")), tag, code);
  }
});
