import { joinUri } from "@cytomesh/object-store";

/** Where things are in the store. The only place that knows. */
export function storeLayout(storeUri: string) {
  return {
    dataset: (dataset: string) => joinUri(storeUri, "datasets", dataset),
    ingest: (dataset: string, ingestId: string) =>
      joinUri(storeUri, "datasets", dataset, "ingests", ingestId),
    curriculum: (name: string) => joinUri(storeUri, "curricula", name),
    bins: (name: string) => joinUri(storeUri, "curricula", name, "bins"),
    binRecords: (name: string) => joinUri(storeUri, "curricula", name, "bin-records"),
    model: (name: string) => joinUri(storeUri, "models", name, "model.onnx"),
    embedding: (name: string) => joinUri(storeUri, "embeddings", name),
    index: (name: string) => joinUri(storeUri, "indexes", name),
    ontology: (name: string) => joinUri(storeUri, "ontologies", `${name}.json`),
    scratch: (jobId: string) => joinUri(storeUri, "scratch", jobId),
  };
}
