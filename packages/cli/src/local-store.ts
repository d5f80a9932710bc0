import { createObjectStore, type ObjectStore } from "@cytomesh/object-store";

/** A store as the services have it: the same settings say where S3 and GCS are. The caller closes it. */
export function openStore(source: Record<string, string | undefined> = process.env): ObjectStore {
  return createObjectStore({
    s3: { endpoint: source.S3_ENDPOINT || undefined, region: source.AWS_REGION || undefined },
    gcs: { apiEndpoint: source.GCS_ENDPOINT || undefined },
  });
}
