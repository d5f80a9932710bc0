import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFauxqs } from "fauxqs";
import type { ObjectStore, S3Options } from "../index.ts";
import { createObjectStore, toUri } from "../index.ts";
import { type FakeGcs, startFakeGcs } from "./fake-gcs.ts";

/** A store under test with a place of its own to write to. */
export interface TestStore {
  name: string;
  store: ObjectStore;
  /** Ends with a slash. */
  base: string;
  stop(): Promise<void>;
}

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "object-store-test-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export async function fileTestStore(): Promise<TestStore & { path: string }> {
  const folder = await temporaryFolder();
  const store = createObjectStore();
  const stop = async () => {
    await store.close();
    await folder.remove();
  };
  return { name: "file", store, base: toUri(`${folder.path}/`), path: folder.path, stop };
}

const CREDENTIALS: S3Options = {
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
};

export function s3OptionsFor(port: number): S3Options {
  return { ...CREDENTIALS, endpoint: `http://127.0.0.1:${port}` };
}

export async function s3TestStore(): Promise<TestStore> {
  const server = await startFauxqs({ port: 0, logger: false, host: "127.0.0.1" });
  server.createBucket("cells");
  const store = createObjectStore({ s3: s3OptionsFor(server.port) });
  const stop = async () => {
    await store.close();
    await server.stop();
  };
  return { name: "s3", store, base: `s3://cells/${randomUUID()}/`, stop };
}

export async function gcsTestStore(): Promise<TestStore & { fake: FakeGcs }> {
  const fake = await startFakeGcs(["cells"]);
  const store = createObjectStore({ gcs: { apiEndpoint: fake.apiEndpoint, projectId: "test" } });
  const stop = async () => {
    await store.close();
    await fake.stop();
  };
  return { name: "gs", store, base: `gs://cells/${randomUUID()}/`, fake, stop };
}
