import { type ObjectStore, putOnce, sha256Hex } from "@cytomesh/object-store";
import { TrainingError } from "../errors.ts";

/**
 * Publish a model file under its name, if there is none. Training the same curriculum with the same parameters gives the same bytes, so
 * a repeated attempt finds its own file.
 *
 * @throws TrainingError `model-exists` when another model has the name.
 */
export async function publishModel(
  store: ObjectStore,
  uri: string,
  onnx: Uint8Array,
  sha256: string,
  signal: AbortSignal,
): Promise<void> {
  const standing = await putOnce(store, uri, onnx, { contentType: "application/octet-stream", signal });
  const found = standing === undefined ? sha256 : sha256Hex(standing);
  if (found !== sha256)
    throw new TrainingError(
      "model-exists",
      `${uri} already holds another model (SHA-256 ${found}); choose another name`,
    );
}

/** Read a model file and hold it against its checksum. */
export async function readModel(
  store: ObjectStore,
  uri: string,
  sha256: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await store.get(uri, { signal });
  const found = sha256Hex(bytes);
  if (found !== sha256)
    throw new TrainingError("damaged-model", `${uri} has SHA-256 ${found}, the catalog says ${sha256}`);
  return bytes;
}
