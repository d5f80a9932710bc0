import { ObjectStoreError } from "./errors.ts";

/** For a local file that did not give as many bytes as it had. */
export function sourceChanged(uri: string, size: number, seen: number): ObjectStoreError {
  const message = `${uri} had ${size} bytes and gave ${seen}: it changed while it was read; nothing was stored.`;
  return new ObjectStoreError("source-changed", message, { uri });
}
