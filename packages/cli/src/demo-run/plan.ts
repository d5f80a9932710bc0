import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openQuery } from "../annotate/query-file.ts";
import { DEFAULT_SIZES, generateStudies, writeStudies } from "../demo/index.ts";
import { CliError } from "../errors.ts";

/** What the demo runs on. */
export interface DemoData {
  readonly references: string[];
  readonly queries: DemoQuery[];
  /** Ontology file; undefined: only summary statistics. */
  readonly ontology: string | undefined;
  /** Obs column of the references that holds the labels. */
  readonly label: string;
  readonly generated: boolean;
}

/** Held-aside cells. */
export interface DemoQuery {
  readonly path: string;
  /** True label and term per cell, when known. */
  readonly truth: readonly { label: string; termId: string }[] | undefined;
}

/** Generate studies that look like real ones. */
export async function generateData(
  dir: string,
  o: { seed: number; cellsPerStudy: number | undefined; signal: AbortSignal },
): Promise<DemoData> {
  const sizes =
    o.cellsPerStudy === undefined ? DEFAULT_SIZES : { ...DEFAULT_SIZES, cellsPerStudy: o.cellsPerStudy };
  const files = await writeStudies(join(dir, "data"), generateStudies(o.seed, sizes), { signal: o.signal });
  const queries = await Promise.all(
    files.queries.map(async (path, i) => ({ path, truth: await readTruth(files.queryTruths[i] as string) })),
  );
  return {
    references: files.references,
    queries,
    ontology: files.ontologyObo,
    label: "cell_type",
    generated: true,
  };
}

async function readTruth(path: string): Promise<{ label: string; termId: string }[]> {
  const [, ...lines] = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const [, termId = "", ...label] = line.split(",");
    return {
      termId,
      label: label
        .join(",")
        .replace(/^"(.*)"$/, "$1")
        .replaceAll('""', '"'),
    };
  });
}

/** The user's own files. The queries' own labels, where they have them, are the truth. */
export async function ownData(o: {
  inputs: readonly string[];
  queries: readonly string[];
  label: string;
  ontology: string | undefined;
}): Promise<DemoData> {
  if (o.inputs.length === 0) throw new CliError("usage", "--query needs --input FILE… beside it");
  const queries = await Promise.all(
    o.queries.map(async (path) => {
      const query = await openQuery(path);
      try {
        const labels = query.labels(o.label);
        const terms = query.labels("cell_type_ontology_term_id");
        const truth = labels?.map((label, i) => ({ label, termId: terms?.[i] ?? "" }));
        return { path, truth };
      } finally {
        query.close();
      }
    }),
  );
  return { references: [...o.inputs], queries, ontology: o.ontology, label: o.label, generated: false };
}
