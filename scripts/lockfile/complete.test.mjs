import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { completeLockfile, missingEntries } from "./complete.mjs";

const lockfile = {
  lockfileVersion: 3,
  packages: {
    "": { name: "root" },
    "node_modules/a": {
      version: "1.0.0",
      dev: true,
      optionalDependencies: {
        "a-linux-x64": "1.0.0",
        "a-darwin-arm64": "1.0.0",
        "a-linux-arm64-musl": "1.0.0",
      },
    },
    "node_modules/a-linux-x64": { version: "1.0.0", dev: true, optional: true, os: ["linux"], cpu: ["x64"] },
    "node_modules/z": {
      version: "2.0.0",
      optionalDependencies: { "@z/win32-x64": "2.0.0-r.1", fsevents: "2.0.0", "z-linux-x64": "^2.0.0" },
    },
  },
};

test("adds the platforms a lockfile lacks, in npm's order, and leaves what is there", () => {
  const completed = completeLockfile(lockfile);
  assert.deepEqual(Object.keys(completed.packages), [
    "",
    "node_modules/@z/win32-x64",
    "node_modules/a",
    "node_modules/a-darwin-arm64",
    "node_modules/a-linux-arm64-musl",
    "node_modules/a-linux-x64",
    "node_modules/z",
  ]);
  assert.deepEqual(completed.packages["node_modules/a-linux-arm64-musl"], {
    version: "1.0.0",
    dev: true,
    optional: true,
    cpu: ["arm64"],
    libc: ["musl"],
    os: ["linux"],
  });
  assert.deepEqual(completed.packages["node_modules/@z/win32-x64"], {
    version: "2.0.0-r.1",
    optional: true,
    cpu: ["x64"],
    os: ["win32"],
  });
  assert.deepEqual(missingEntries(completed), {});
});

test("package-lock.json of this repository names the packages of every platform, and no registry", () => {
  const text = readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8");
  const missing = Object.keys(missingEntries(JSON.parse(text)));
  assert.deepEqual(missing, [], "run: node scripts/complete-lockfile.mjs");
  assert.doesNotMatch(
    text,
    /"resolved": "https?:/,
    "set omit-lockfile-registry-resolved=true and lock again",
  );
});
