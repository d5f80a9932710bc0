import { joinUri, type ObjectStore, publishFolder, putOnce, sha256Hex } from "@cytomesh/object-store";
import { ExtractError } from "../errors.ts";

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
  const { manifest, standing } = await publishFolder(store, uri, localDir, { signal });
  const mine = sha256Hex(manifest);
  const theirs = standing === undefined ? mine : sha256Hex(standing);
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
  const standing = await putOnce(store, at, JSON.stringify(current), { contentType: "application/json" });
  return standing === undefined
    ? [...current]
    : (JSON.parse(Buffer.from(standing).toString("utf8")) as string[]);
}
