import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { createObjectStore, type ObjectStore, toUri } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { ReadLimits } from "../schemas/convert.ts";
import { makeContactSheet, type SheetInput } from "../services/contact/contact-sheet.ts";
import type { ConvertInput } from "../services/convert/convert-field.ts";
import type { TaskExtras } from "../services/convert/convert-shard.ts";
import { type H5scInput, writeH5sc } from "../services/convert/h5sc.ts";
import { cropColumns } from "../services/convert/tables.ts";
import type { ImagingDeps } from "../services/deps.ts";
import { describeImage } from "../services/describe-image.ts";
import type { FieldSource } from "../services/inputs/fields.ts";
import { runConvert } from "../services/tasks.ts";

/** The tasks of the service without threads, over a store of the test's. */
export function inlinePool(store: ObjectStore, threads = 2): TaskPool {
  return {
    threads,
    async run<O>(name: string, input: unknown, o: { signal?: AbortSignal } = {}): Promise<O> {
      const signal = o.signal ?? new AbortController().signal;
      signal.throwIfAborted();
      const context: TaskContext = {
        signal,
        progress: () => undefined,
        breathe: async () => signal.throwIfAborted(),
      };
      const tasks: Record<string, () => Promise<unknown>> = {
        describe: () => {
          const { source, limits } = input as { source: FieldSource; limits: ReadLimits };
          return describeImage(store, source, limits, signal);
        },
        convert: () => runConvert(input as ConvertInput & TaskExtras, context, store),
        h5sc: () => writeH5sc(input as H5scInput, context, cropColumns),
        contactSheet: () => makeContactSheet(input as SheetInput, context),
      };
      return (await tasks[name]?.()) as O;
    },
    close: async () => undefined,
  };
}

/** A folder with a store, the dependencies of the handlers, and ways to write into and read from it. */
export async function imagingWorld(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "imaging-"));
  const store = createObjectStore({});
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });
  const tempDir = join(dir, "tmp");
  await mkdir(tempDir);
  const depsOf = (over: ObjectStore, threads = 2): ImagingDeps => ({
    store: over,
    tempDir,
    pool: inlinePool(over, threads),
    storeSettings: { CYTOMESH_DATA_DIR: dir },
    limits: { maxPixels: 4_000_000, maxChannels: 8, maxFieldBytes: 64_000_000 },
    firstPauseMs: 1,
  });
  return {
    dir,
    store,
    tempDir,
    depsOf,
    deps: depsOf(store),
    outputUri: toUri(join(dir, "out")),
    async write(name: string, bytes: Uint8Array | string) {
      const path = join(dir, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
      return toUri(path);
    },
    /** Every file below a folder, by path. */
    async files(folder = "out"): Promise<Map<string, Buffer>> {
      const root = join(dir, folder);
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
      const paths = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort();
      return new Map(
        await Promise.all(
          paths.map(async (path) => [path.slice(root.length + 1), await readFile(path)] as const),
        ),
      );
    },
  };
}

/** One hash over names and contents. */
export function digestOf(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [name, bytes] of files) hash.update(`${name}\0`).update(bytes);
  return hash.digest("hex");
}
