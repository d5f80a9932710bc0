import type { MessageInitShape } from "@bufbuild/protobuf";
import { DistanceMetric, FeatureDerivation, type JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { toUri } from "@cytomesh/object-store";
import type { MeshClient } from "../client.ts";
import { CliError } from "../errors.ts";
import { watchJob } from "../watch-job.ts";
import type { DemoData } from "./plan.ts";

/** Names of what the demo makes. */
export interface DemoNames {
  readonly dataset: string;
  readonly curriculum: string;
  readonly model: string;
  readonly embedding: string;
  readonly index: string;
  readonly ontology: string;
}

/** Names below one prefix, so that runs on one mesh do not meet. */
export function demoNames(prefix: string): DemoNames {
  return {
    dataset: prefix.replaceAll(".", "-"),
    curriculum: `${prefix}-cells`,
    model: `${prefix}-pca`,
    embedding: `${prefix}-pca.cells`,
    index: `${prefix}-index`,
    ontology: `${prefix}-cl`,
  };
}

type SpecInit = NonNullable<MessageInitShape<typeof JobSpecSchema>["spec"]>;

/** Sizes that suit the number of cells: four bins or more, components well below the number of cells. */
function sizesFor(cells: number) {
  return {
    binSize: Math.max(50, Math.min(10_000, Math.ceil(cells / 6))),
    nComponents: Math.max(2, Math.min(50, Math.floor(cells / 4))),
    neighbors: Math.max(1, Math.min(30, Math.floor(cells / 10))),
  };
}

/** Look at every reference before anything is written, and count the cells. */
export async function inspectReferences(
  mesh: MeshClient,
  data: DemoData,
  signal: AbortSignal,
): Promise<number> {
  let cells = 0;
  for (const path of data.references) {
    const report = await mesh.ingest.inspectFile({ uri: toUri(path) }, { signal, timeoutMs: 300_000 });
    if (report.problems.length > 0)
      throw new CliError("failed", `${path} cannot be ingested: ${report.problems.join("; ")}`);
    const columns = report.obsColumns.map((column) => column.name);
    if (!columns.includes(data.label))
      throw new CliError(
        "usage",
        `${path} has no obs column "${data.label}" for the labels; --label names one of ${columns.join(", ") || "none"}`,
      );
    cells += Number(report.cells);
  }
  return cells;
}

/** The jobs of the demo in their order, with titles. */
function chainOf(data: DemoData, names: DemoNames, o: { cells: number; seed: number }): [string, SpecInit][] {
  const sizes = sizesFor(o.cells);
  return [
    [
      "ingest",
      {
        case: "ingest",
        value: {
          dataset: names.dataset,
          uris: data.references.map(toUri),
          obsMapping: data.label === "cell_type" ? {} : { [data.label]: "cell_type" },
        },
      },
    ],
    [
      "prepare",
      {
        case: "prepare",
        value: {
          curriculum: names.curriculum,
          dataset: names.dataset,
          deriveFeatures: FeatureDerivation.UNION,
          binSize: sizes.binSize,
          seed: BigInt(o.seed),
        },
      },
    ],
    ["extract", { case: "extract", value: { curriculum: names.curriculum } }],
    [
      "train",
      {
        case: "trainPca",
        value: {
          curriculum: names.curriculum,
          model: names.model,
          nComponents: sizes.nComponents,
          scale: true,
          description: "Made by the demo.",
        },
      },
    ],
    [
      "embed",
      {
        case: "embed",
        value: { model: names.model, curriculum: names.curriculum, embedding: names.embedding },
      },
    ],
    [
      "index",
      {
        case: "buildIndex",
        value: {
          embedding: names.embedding,
          index: names.index,
          metric: DistanceMetric.COSINE,
          ontology: data.ontology === undefined ? "" : names.ontology,
          defaultNeighbors: sizes.neighbors,
          makeDefault: true,
        },
      },
    ],
  ];
}

/**
 * Create the whole chain of jobs at once, each waiting for the one before, and watch them in turn. The mesh would finish them without us.
 *
 * @returns titles with the time each job ran, in ms.
 */
export async function runChain(
  mesh: MeshClient,
  data: DemoData,
  names: DemoNames,
  o: { cells: number; seed: number; key: string; signal: AbortSignal },
): Promise<{ title: string; ms: number }[]> {
  const created: { title: string; id: string }[] = [];
  for (const [title, spec] of chainOf(data, names, o)) {
    const before = created.at(-1);
    const { job } = await mesh.jobs.createJob({
      spec: { spec },
      idempotencyKey: `${o.key}-${title}`,
      after: before === undefined ? [] : [before.id],
    });
    created.push({ title, id: (job as { id: string }).id });
  }
  const timings: { title: string; ms: number }[] = [];
  for (const { title, id } of created) {
    const began = Date.now();
    await watchJob(mesh, id, title.padEnd(8), o.signal);
    timings.push({ title, ms: Date.now() - began });
  }
  return timings;
}
