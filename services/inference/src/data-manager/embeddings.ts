import type { Embedding } from "@cytomesh/contracts/catalog/v1/resources";
import { joinUri, type ObjectStore, sha256Hex } from "@cytomesh/object-store";
import { InferenceError } from "../errors.ts";
import { type EmbeddingManifest, parseEmbeddingManifest } from "../schemas/embedding.ts";
import { manifestName } from "./publish.ts";

/**
 * The manifest of a registered embedding, held against the checksum that the catalog knows.
 *
 * @throws InferenceError `damaged-file`
 */
export async function readEmbedding(
  store: ObjectStore,
  embedding: Embedding,
  signal: AbortSignal,
): Promise<EmbeddingManifest> {
  const uri = joinUri(embedding.uri, manifestName);
  const bytes = await store.get(uri, { signal });
  const found = sha256Hex(bytes);
  if (found !== embedding.manifestSha256)
    throw new InferenceError(
      "damaged-file",
      `${uri} has SHA-256 ${found}, the catalog says ${embedding.manifestSha256}`,
    );
  const { manifest, problem } = parseEmbeddingManifest(JSON.parse(Buffer.from(bytes).toString("utf8")));
  if (manifest === undefined)
    throw new InferenceError("damaged-file", `${uri} is not the manifest of an embedding: ${problem}`);
  return manifest;
}
