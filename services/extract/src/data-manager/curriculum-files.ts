import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { ExtractError } from "../errors.ts";

const manifestName = "manifest.json";

/**
 * Publish the files of a prepared curriculum, the manifest last and only if there is none. Preparing the same request again gives the
 * same bytes, so a repeated attempt finds its own manifest.
 *
 * @returns SHA-256 of the manifest.
 * @throws ExtractError `curriculum-exists` when another curriculum has the name.
 */
export async function publishCurriculum(
  store: ObjectStore,
  uri: string,
  localDir: string,
  signal: AbortSignal,
): Promise<string> {
  const manifest = await readFile(join(localDir, manifestName));
  const mine = sha256(manifest);
  const before = await publishedSha256(store, uri);
  if (before !== undefined) return requireSame(uri, mine, before);
  const names = (await readdir(localDir)).filter((name) => name !== manifestName).sort();
  for (const name of names) await store.putFile(joinUri(uri, name), join(localDir, name), { signal });
  try {
    await store.put(joinUri(uri, manifestName), manifest, {
      ifAbsent: true,
      contentType: "application/json",
      signal,
    });
  } catch (error) {
    if ((error as { tag?: string }).tag !== "object-exists") throw error;
    requireSame(uri, mine, (await publishedSha256(store, uri)) ?? "");
  }
  return mine;
}

async function publishedSha256(store: ObjectStore, uri: string): Promise<string | undefined> {
  const at = joinUri(uri, manifestName);
  return (await store.head(at)) === undefined ? undefined : sha256(await store.get(at));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function requireSame(uri: string, mine: string, theirs: string): string {
  if (mine === theirs) return mine;
  throw new ExtractError(
    "curriculum-exists",
    `${uri} already holds another curriculum (manifest ${theirs.slice(0, 12)}, this request gives ${mine.slice(0, 12)}); choose another name`,
  );
}

/**
 * The ingests that a prepare job started from. Later attempts must use the same ones although new ingests may have been committed in the
 * meantime, or the curriculum would differ from what an earlier attempt published.
 */
export async function frozenIngests(
  store: ObjectStore,
  uri: string,
  current: readonly string[],
): Promise<string[]> {
  const at = joinUri(uri, "ingests.json");
  try {
    await store.put(at, JSON.stringify(current), { ifAbsent: true, contentType: "application/json" });
    return [...current];
  } catch (error) {
    if ((error as { tag?: string }).tag !== "object-exists") throw error;
    return JSON.parse(Buffer.from(await store.get(at)).toString("utf8")) as string[];
  }
}
