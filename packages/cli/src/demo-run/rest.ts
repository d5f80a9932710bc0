import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import type { Call, Strategy } from "../annotate/grpc.ts";
import { CliError } from "../errors.ts";

interface RestAnnotation {
  query_cell_id: string;
  matches: { cell_type: string; cell_count?: number; score?: number; cell_type_ontology_term_id?: string }[];
}

/** Paths of the annotation API that existing clients use. */
const paths: Readonly<Record<Strategy, string>> = {
  "summary-statistics": "/api/cellarium-cell-operations/annotate-cell-type-summary-statistics-strategy",
  "ontology-aware": "/api/cellarium-cell-operations/annotate-cell-type-ontology-aware-strategy",
};

/** Annotate a file through REST, as a multipart upload. */
export async function annotateOverRest(
  baseUrl: string,
  file: string,
  o: { strategy: Strategy; model: string; signal: AbortSignal },
): Promise<RestAnnotation[]> {
  const form = new FormData();
  form.set("file", await openAsBlob(file), basename(file));
  form.set("model_name", o.model);
  if (o.strategy === "ontology-aware") {
    form.set("prune_threshold", "0.05");
    form.set("weighting_prefactor", "1.0");
  } else form.set("include_extended_output", "False");
  const token = process.env.CYTOMESH_TOKEN;
  const response = await fetch(`${baseUrl}${paths[o.strategy]}`, {
    method: "POST",
    body: form,
    headers: token ? { authorization: `Bearer ${token}` } : {},
    signal: o.signal,
  });
  if (!response.ok)
    throw new CliError(
      "failed",
      `POST ${paths[o.strategy]} answered ${response.status}: ${(await response.text()).slice(0, 500)}`,
    );
  return (await response.json()) as RestAnnotation[];
}

/** The majority call of a REST answer, as the gRPC answers are called. */
export function restMajority(answer: RestAnnotation): Call {
  const total = answer.matches.reduce((sum, match) => sum + (match.cell_count ?? 0), 0);
  const [first] = answer.matches;
  return first === undefined || total === 0
    ? { label: "", termId: "", score: 0 }
    : { label: first.cell_type, termId: "", score: (first.cell_count ?? 0) / total };
}

/** A REST answer of the ontology-aware strategy in the shape of the gRPC one, to be called by the same function. */
export function restOntologyMatches(answer: RestAnnotation) {
  return answer.matches.map((match) => ({
    score: match.score ?? 0,
    cellTypeOntologyTermId: match.cell_type_ontology_term_id ?? "",
    cellType: match.cell_type,
  }));
}
