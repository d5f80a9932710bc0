import { createObjectStore, ObjectStoreError } from "../index.ts";

/** A process of its own for tests: `race <uri>` says who won, `hang <uri>` writes half an object and waits for its end. */
const [mode = "", uri = ""] = process.argv.slice(2);
const store = createObjectStore();

async function* half(): AsyncGenerator<Uint8Array> {
  // More than is held back in memory, so that the temporary file exists.
  for (let chunk = 0; chunk < 12; chunk += 1) yield new Uint8Array(1024 * 1024).fill(chunk);
  process.stdout.write("half\n");
  await new Promise(() => setInterval(() => {}, 1000));
}

if (mode === "hang") await store.put(uri, half());
if (mode === "race") {
  process.stdout.write("ready\n");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  const won = await store.put(uri, String(process.pid), { ifAbsent: true }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof ObjectStoreError && error.tag === "object-exists") return false;
      throw error;
    },
  );
  process.stdout.write(`${JSON.stringify({ won, pid: process.pid })}\n`);
  process.stdin.destroy();
}
