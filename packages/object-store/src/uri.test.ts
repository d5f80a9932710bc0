import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { joinUri, ObjectStoreError, parseUri, toUri } from "./index.ts";
import { compareUris, formatUri } from "./uri.ts";

const invalid = (error: unknown) => error instanceof ObjectStoreError && error.tag === "invalid-uri";

/** One file or key name: anything but a slash, NUL, and the two dot names. */
const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => !/[/\0]/.test(text) && text !== "." && text !== ".." && text.isWellFormed());
const names = fc.array(name, { minLength: 1, maxLength: 4 });
const base = fc.constantFrom("file:///data/", "file:///", "s3://cells", "s3://cells/a b/", "gs://cells/x");

describe("object URIs", () => {
  test("parse", () => {
    const cases: [string, unknown][] = [
      ["s3://cells/a/b%20c", { scheme: "s3", bucket: "cells", key: "a/b%20c" }],
      ["gs://cells", { scheme: "gs", bucket: "cells", key: "" }],
      ["gs://cells/", { scheme: "gs", bucket: "cells", key: "" }],
      ["s3://cells//x", { scheme: "s3", bucket: "cells", key: "/x" }],
      ["S3://cells/X?y#z", { scheme: "s3", bucket: "cells", key: "X?y#z" }],
      ["file:///a%20b/c", { scheme: "file", bucket: "", key: "/a b/c" }],
      ["file://localhost/a", { scheme: "file", bucket: "", key: "/a" }],
      ["file:///a/./b/../c/", { scheme: "file", bucket: "", key: "/a/c/" }],
      ["file:///a/../../etc", { scheme: "file", bucket: "", key: "/etc" }],
    ];
    for (const [uri, expected] of cases) assert.deepEqual(parseUri(uri), expected, uri);
  });

  test("what cannot be a URI is refused with a reason", () => {
    const bad = [
      "",
      "/data/x",
      "http://h/x",
      "s3:/cells/x",
      "s3://",
      "s3:///x",
      "s3://Bad_Bucket!/x",
      "s3://a/x",
      "file://",
      "file://host/x",
      "file:///a?b",
      "file:///a#b",
      "file:///a%2Fb",
      "file:///a%00",
      "file:///a%zz",
      "file:///%ff",
      "s3://cells/a\0b",
      "gs://cells/\ud800",
      `s3://cells/${"k".repeat(1025)}`,
    ];
    for (const uri of bad) assert.throws(() => parseUri(uri), invalid, uri);
  });

  test("toUri: paths become absolute and encoded, URIs stay", () => {
    assert.equal(toUri("/data/a b#c"), "file:///data/a%20b%23c");
    assert.equal(toUri("/data/"), "file:///data/");
    assert.equal(toUri("/"), "file:///");
    assert.equal(toUri("rel/x"), pathToFileURL(resolve("rel/x")).href);
    assert.equal(toUri("gs://cells/a b"), "gs://cells/a b");
    assert.equal(toUri("file:///a/../b"), "file:///b");
    assert.equal(toUri("C:weird"), pathToFileURL(resolve("C:weird")).href);
    for (const bad of ["", "http://x/y", "file:/x", "s3:/x", "a\0b"])
      assert.throws(() => toUri(bad), invalid, bad);
  });

  test("joinUri: plain parts, no climbing", () => {
    assert.equal(joinUri("file:///d", "50% #1.h5ad"), "file:///d/50%25%20%231.h5ad");
    assert.equal(joinUri("s3://cells", "a", "b/c"), "s3://cells/a/b/c");
    assert.equal(joinUri("s3://cells/a/", "/b/", "c/"), "s3://cells/a/b/c/");
    assert.equal(joinUri("gs://cells/a"), "gs://cells/a");
    assert.equal(joinUri("gs://cells/a", ""), "gs://cells/a");
    for (const part of ["..", "a/../b", ".", "a\0"])
      assert.throws(() => joinUri("s3://cells/x", part), invalid, part);
  });

  test("property: joined names come back from parseUri, and the canonical form is a fixed point", () => {
    fc.assert(
      fc.property(base, names, (from, parts) => {
        const uri = joinUri(from, ...parts);
        const parsed = parseUri(uri);
        assert.ok(parsed.key.endsWith(parts.join("/")), `${parsed.key} ends with ${parts.join("/")}`);
        assert.equal(formatUri(parsed), uri);
        assert.equal(toUri(uri), uri);
      }),
    );
  });

  test("property: any absolute path survives toUri and parseUri, and the URI is Node's own", () => {
    fc.assert(
      fc.property(names, (parts) => {
        const path = `/${parts.join("/")}`;
        assert.equal(parseUri(toUri(path)).key, path);
        assert.equal(toUri(path), pathToFileURL(path).href);
      }),
    );
  });

  test("the listing order is that of UTF-8 bytes, also beyond the basic plane", () => {
    assert.deepEqual(["s3://b/💥", "s3://b/\uffee", "s3://b/a"].sort(compareUris), [
      "s3://b/a",
      "s3://b/\uffee",
      "s3://b/💥",
    ]);
  });
});
