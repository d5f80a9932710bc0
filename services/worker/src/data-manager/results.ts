import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { storeLayout } from "@cytomesh/service-kit";

/** Write the result of a job where the spec says, or else into the job's folder of the store. Returns its URI. */
export async function publishResult(
  o: { readonly store: ObjectStore; readonly storeUri: string },
  jobId: string,
  outputUri: string,
  json: Uint8Array,
  signal: AbortSignal,
): Promise<string> {
  const uri = outputUri === "" ? joinUri(storeLayout(o.storeUri).scratch(jobId), "result.json") : outputUri;
  await o.store.put(uri, json, { contentType: "application/json", signal });
  return uri;
}
