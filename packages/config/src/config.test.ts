import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import fc from "fast-check";
import { z } from "zod";
import {
  ConfigError,
  describeConfig,
  env,
  formatBytes,
  formatDurationMs,
  loadConfig,
  parseBytes,
  parseDurationMs,
} from "./index.ts";

const shape = {
  PORT: env.port(8080),
  DATABASE_URL: env.url(undefined, { schemes: ["postgres", "postgresql"] }),
  NATS_URL: env.urlList().optional(),
  CACHE_BYTES: env.bytes("64MiB"),
  TIMEOUT: env.durationMs("30s"),
  WORKERS: env.int(2, { min: 1, max: 64 }),
  RATIO: env.float(0.5),
  VERBOSE: env.bool(false),
  VALIDATORS: env.list(""),
  API_SECRET: env.secret(),
  DATA_DIR: env.path("./data"),
  LOG_LEVEL: z.enum(["debug", "info"]).default("info"),
};

const complete = {
  DATABASE_URL: "postgres://cell:hunter2@db:5432/mesh?sslpassword=pw",
  API_SECRET: "s3cret",
};

function failure(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error;
  }
  return assert.fail("expected a ConfigError");
}

test("defaults fill in what the environment leaves out, and the types are the program's", () => {
  const config = loadConfig(shape, { env: complete });
  const port: number = config.PORT;
  assert.equal(port, 8080);
  assert.equal(config.CACHE_BYTES, 67_108_864);
  assert.equal(config.TIMEOUT, 30_000);
  assert.deepEqual(config.VALIDATORS, []);
  assert.equal(config.NATS_URL, undefined);
  assert.equal(config.LOG_LEVEL, "info");
});

test("every builder reads its text form", () => {
  const config = loadConfig(shape, {
    env: {
      ...complete,
      PORT: " 0 ",
      NATS_URL: "nats://a:4222, nats://b:4222",
      CACHE_BYTES: "1.5GB",
      TIMEOUT: "1m30s",
      WORKERS: "64",
      RATIO: "1e-3",
      VERBOSE: "Yes",
      VALIDATORS: "a,, b",
      LOG_LEVEL: "debug",
    },
  });
  assert.equal(config.PORT, 0);
  assert.deepEqual(config.NATS_URL, ["nats://a:4222", "nats://b:4222"]);
  assert.equal(config.CACHE_BYTES, 1_500_000_000);
  assert.equal(config.TIMEOUT, 90_000);
  assert.equal(config.WORKERS, 64);
  assert.equal(config.RATIO, 0.001);
  assert.equal(config.VERBOSE, true);
  assert.deepEqual(config.VALIDATORS, ["a", "b"]);
  assert.equal(config.LOG_LEVEL, "debug");
});

test("one error lists every problem with what was found and what was expected", () => {
  const error = failure(() =>
    loadConfig(shape, {
      name: "ingest",
      env: { PORT: "eighty", DATABASE_URL: "mysql://x/y", WORKERS: "65", TIMEOUT: "30", LOG_LEVEL: "loud" },
    }),
  );
  assert.deepEqual(
    error.problems.map((p) => p.variable),
    ["PORT", "DATABASE_URL", "TIMEOUT", "WORKERS", "API_SECRET", "LOG_LEVEL"],
  );
  assert.match(error.message, /^ingest: 6 settings are wrong/);
  assert.match(error.message, /PORT: expected a port between 0 and 65535, found "eighty"/);
  assert.match(error.message, /WORKERS: expected a whole number between 1 and 64, found "65"/);
  assert.match(error.message, /API_SECRET: expected a secret, found nothing/);
  assert.equal(error.tag, "invalid_settings");
  assert.equal(error.grpcCode, "failed_precondition");
});

test("an empty variable counts as unset", () => {
  assert.equal(loadConfig(shape, { env: { ...complete, PORT: "", TIMEOUT: "  " } }).PORT, 8080);
  assert.match(failure(() => loadConfig(shape, { env: { ...complete, API_SECRET: "" } })).message, /not set/);
});

test("a refinement on a builder is told in its own words", () => {
  const even = { N: env.int().refine((n) => n % 2 === 0, "an even number") };
  assert.match(
    failure(() => loadConfig(even, { env: { N: "3" } })).message,
    /N: expected an even number, found "3"/,
  );
});

test("secrets reach neither the error nor the description", () => {
  const leaky = {
    API_SECRET: env.secret().refine(() => false, "a longer secret"),
    DB_PASSWORD: env.int(),
    DATABASE_URL: env.int(),
  };
  const values = {
    API_SECRET: "aaa111",
    DB_PASSWORD: "bbb222",
    DATABASE_URL: "postgres://u:ccc333@h/d?token=ddd444",
  };
  const { message } = failure(() => loadConfig(leaky, { env: values }));
  assert.doesNotMatch(message, /aaa111|bbb222|ccc333|ddd444/);
  const described = describeConfig(shape, loadConfig(shape, { env: complete }));
  assert.equal(described.API_SECRET, "(set)");
  assert.equal(described.DATABASE_URL, "postgres://cell:***@db:5432/mesh?sslpassword=***");
  assert.equal(described.CACHE_BYTES, "64MiB");
  assert.equal(described.TIMEOUT, "30s");
  assert.equal(described.NATS_URL, "(not set)");
});

test("no secret value appears in any message, whatever it is", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9]{8,40}$/), (value) => {
      const { message } = failure(() =>
        loadConfig(
          { SERVICE_TOKEN: env.port(), URL: env.port() },
          { env: { SERVICE_TOKEN: value, URL: `amqp://u:${value}@h` } },
        ),
      );
      assert.ok(!message.includes(value));
    }),
  );
});

test("sizes and durations survive being written and read back", () => {
  fc.assert(
    fc.property(fc.nat(), (n) => {
      assert.equal(parseBytes(formatBytes(n)), n);
      assert.equal(parseDurationMs(formatDurationMs(n)), n);
    }),
  );
  for (const bad of ["", "MiB", "-1MiB", "1 parsec", "1e99TiB", "0x10"])
    assert.equal(parseBytes(bad), undefined, bad);
  for (const bad of ["", "s", "10", "-1s", "1y", "1s!"]) assert.equal(parseDurationMs(bad), undefined, bad);
});

test("a default that its own builder refuses is a programming error", () => {
  assert.throws(() => env.bytes("lots"), TypeError);
});

test("isMain is true for the started file, also through a link, and false for what it imports", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "is-main-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const index = JSON.stringify(pathToFileURL(fileURLToPath(new URL("./is-main.ts", import.meta.url))).href);
  const library = `import { isMain } from ${index}; export const inner = isMain(import.meta.url);`;
  writeFileSync(join(dir, "library.mjs"), library);
  writeFileSync(
    join(dir, "program.mjs"),
    `import { isMain } from ${index}; import { inner } from "./library.mjs"; console.log(isMain(import.meta.url), inner);`,
  );
  symlinkSync(join(dir, "program.mjs"), join(dir, "linked"));
  for (const started of ["program.mjs", "linked"]) {
    const output = execFileSync(process.execPath, ["--no-warnings", join(dir, started)], {
      encoding: "utf8",
    });
    assert.equal(output.trim(), "true false", started);
  }
});
