import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import { bindService, createLogger, createMetrics, hostService } from "./index.ts";

const buf = join(import.meta.dirname, "../../../node_modules/.bin/buf");
const run = promisify(execFile);

test("buf curl lists and calls a service by reflection", {
  skip: !existsSync(buf) && "buf is not installed",
}, async () => {
  const hosted = await hostService({
    name: "test",
    host: "127.0.0.1",
    grpcPort: 0,
    healthPort: undefined,
    services: [
      bindService(ExtractService, {
        countCells: (request) => ({ cells: BigInt(request.dataset.length) }),
        listValues: () => ({}),
        getCells: () => ({}),
        prepareCurriculum: () => ({}),
        extractBins: () => ({}),
      }),
    ],
    logger: createLogger("test", "silent"),
    metrics: createMetrics("test"),
  });
  after(() => hosted.stop(100));
  hosted.setServing(true);
  const base = `http://${hosted.address}`;
  const curl = (...args: string[]) =>
    run(buf, ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args], { timeout: 20_000 });
  for (const version of ["grpc-v1", "grpc-v1alpha"]) {
    const { stdout } = await curl("--reflect-protocol", version, "--list-services", base);
    assert.match(stdout, /cytomesh\.extract\.v1\.ExtractService/);
    assert.match(stdout, /grpc\.health\.v1\.Health/);
  }
  const called = await curl(
    "-d",
    '{"dataset":"four"}',
    `${base}/cytomesh.extract.v1.ExtractService/CountCells`,
  );
  assert.deepEqual(JSON.parse(called.stdout), { cells: "4" });
  const health = await curl("-d", "{}", `${base}/grpc.health.v1.Health/Check`);
  assert.deepEqual(JSON.parse(health.stdout), { status: "SERVING" });
});
