import { type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  CurriculumSchema,
  CurriculumState,
  DatasetSchema,
  EmbeddingSchema,
  IndexSchema,
  IngestSchema,
  IngestState,
  LineageNodeSchema,
  ModelSchema,
  OntologySchema,
} from "@cytomesh/contracts/catalog/v1/resources";
import { InspectFileResponseSchema, Severity } from "@cytomesh/contracts/ingest/v1/ingest_service";
import { toUri } from "@cytomesh/object-store";
import { type MeshClient, withMesh } from "../client.ts";
import { defineCommand, integerOption, meshOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { everyPage } from "../every-page.ts";
import { formatCount, nameOf, printable, table } from "../terminal/text.ts";
import { validationOptions } from "./validation-options.ts";

const write = (text: string) => process.stdout.write(`${text}\n`);

export const status = defineCommand({
  name: "status",
  usage: "status",
  positionals: 0,
  options: meshOptions,
  async run({ options }) {
    await withMesh(options.api, async (mesh) => {
      const answer = await mesh.mesh.getMeshStatus({});
      if (answer.services.some((one) => !one.serving)) process.exitCode = 1;
      if (options.json)
        return void write(JSON.stringify(answer.services.map(({ $typeName: _, ...one }) => one)));
      write(`Cytomesh ${answer.version} at ${mesh.target}, event bus ${answer.eventBus}`);
      write(
        table(
          ["service", "state", "address", ""],
          answer.services.map((one) => [
            one.name,
            one.serving ? "serving" : "away",
            one.address,
            printable(one.reason),
          ]),
        ),
      );
    });
  },
});

export const inspect = defineCommand({
  name: "inspect",
  usage: "inspect FILE",
  positionals: 1,
  options: { ...meshOptions, ...validationOptions },
  async run({ options, positionals }) {
    const [file] = positionals;
    if (file === undefined) throw new CliError("usage", "inspect needs a file");
    await withMesh(options.api, async (mesh) => {
      const report = await mesh.ingest.inspectFile(
        {
          uri: toUri(file),
          profile: options.profile ?? "",
          geneListUris: (options["gene-list"] ?? []).map(toUri),
        },
        { timeoutMs: 300_000 },
      );
      if (report.problems.length > 0) process.exitCode = 1;
      if (options.json) return void write(JSON.stringify(toJson(InspectFileResponseSchema, report)));
      write(`${formatCount(report.cells)} cells × ${formatCount(report.features)} genes`);
      write(
        table(
          ["matrix", "format", "dtype", "rows", "columns", "stored"],
          report.matrices.map((one) => [
            printable(one.path),
            one.format,
            one.dtype,
            formatCount(one.rows),
            formatCount(one.columns),
            one.nnz < 0n ? "all" : formatCount(one.nnz),
          ]),
        ),
      );
      const columns = (list: typeof report.obsColumns) =>
        list
          .map(
            (one) => `${printable(one.name)} (${one.kind}${one.categories > 0 ? `, ${one.categories}` : ""})`,
          )
          .join(", ") || "none";
      write(`obs: ${columns(report.obsColumns)}`);
      write(`var: ${columns(report.varColumns)}`);
      for (const { severity, message } of report.findings)
        if (severity === Severity.WARNING) write(`! ${printable(message)}`);
      for (const problem of report.problems) write(`✖ ${printable(problem)}`);
      if (report.problems.length === 0) write("✔ can be ingested");
    });
  },
});

/** A kind of resource: how it is listed, and what a person wants to see of it. */
interface Kind {
  page(
    mesh: MeshClient,
    page: { pageSize: number; pageToken: string },
  ): Promise<{ rows: readonly Row[]; next: string }>;
  readonly header: readonly string[];
}

interface Row {
  readonly cells: readonly (string | number)[];
  readonly json: JsonValue;
}

/** Most columns are facts of the resource; `json` has all of them, the place of its files included. */
const kinds: Readonly<Record<string, Kind>> = {
  datasets: {
    header: ["dataset", "cells", "ingests"],
    page: async (mesh, page) => {
      const { datasets, nextPageToken } = await mesh.catalog.listDatasets(page);
      const rows = datasets.map((one) => ({
        cells: [one.name, formatCount(one.cells), one.ingests],
        json: toJson(DatasetSchema, one),
      }));
      return { rows, next: nextPageToken };
    },
  },
  ingests: {
    header: ["ingest", "dataset", "state", "cells", "genes", "source"],
    page: async (mesh, page) => {
      const { ingests, nextPageToken } = await mesh.catalog.listIngests(page);
      const rows = ingests.map((one) => ({
        cells: [
          one.id,
          one.dataset,
          nameOf(IngestState, one.state),
          formatCount(one.cells),
          formatCount(one.features),
          printable(one.sourceUri),
        ],
        json: toJson(IngestSchema, one),
      }));
      return { rows, next: nextPageToken };
    },
  },
  curricula: {
    header: ["curriculum", "dataset", "cells", "bins", "state"],
    page: async (mesh, page) => {
      const { curricula, nextPageToken } = await mesh.catalog.listCurricula(page);
      const rows = curricula.map((one) => ({
        cells: [
          one.name,
          one.dataset,
          formatCount(one.cells),
          one.bins,
          one.state === CurriculumState.EXTRACTED ? "extracted" : "prepared",
        ],
        json: toJson(CurriculumSchema, one),
      }));
      return { rows, next: nextPageToken };
    },
  },
  models: {
    header: ["model", "kind", "dimension", "curriculum", "default"],
    page: async (mesh, page) => {
      const { models, nextPageToken } = await mesh.catalog.listModels(page);
      const rows = models.map((one) => ({
        cells: [one.name, one.kind, one.dimension, one.curriculum, one.isDefault ? "yes" : ""],
        json: toJson(ModelSchema, one),
      }));
      return { rows, next: nextPageToken };
    },
  },
  embeddings: {
    header: ["embedding", "cells", "dimension"],
    page: async (mesh, page) => {
      const { embeddings, nextPageToken } = await mesh.catalog.listEmbeddings(page);
      const rows = embeddings.map((one) => ({
        cells: [one.name, formatCount(one.cells), one.dimension],
        json: toJson(EmbeddingSchema, one),
      }));
      return { rows, next: nextPageToken };
    },
  },
  indexes: {
    header: ["index", "model", "cells", "kind", "metric", "ontology"],
    page: async (mesh, page) => {
      const { indexes, nextPageToken } = await mesh.catalog.listIndexes(page);
      const rows = indexes.map((one) => ({
        cells: [one.name, one.model, formatCount(one.cells), one.kind, one.metric, one.ontology],
        json: toJson(IndexSchema, one),
      }));
      return { rows, next: nextPageToken };
    },
  },
  ontologies: {
    header: ["ontology", "terms", "column"],
    page: async (mesh, page) => {
      const { ontologies, nextPageToken } = await mesh.catalog.listOntologies(page);
      const rows = ontologies.map((one) => ({
        cells: [one.name, formatCount(one.terms), one.columnName],
        json: toJson(OntologySchema, one),
      }));
      return { rows, next: nextPageToken };
    },
  },
};

export const list = defineCommand({
  name: "list",
  usage: `list ${Object.keys(kinds).join(" | ")} [--limit N]`,
  positionals: 1,
  options: {
    ...meshOptions,
    limit: { type: "string", value: "N", help: "at most so many, newest first", default: "100" },
  },
  async run({ options, positionals }) {
    const name = positionals[0] ?? "";
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined)
      throw new CliError("usage", `list knows ${Object.keys(kinds).join(", ")}; found "${name}"`);
    const limit = integerOption("limit", options.limit, { min: 1, max: 1_000_000 }) as number;
    await withMesh(options.api, async (mesh) => {
      const rows = await everyPage(limit, 500, (pageSize, pageToken) =>
        kind.page(mesh, { pageSize, pageToken }),
      );
      write(
        options.json
          ? JSON.stringify(rows.map(({ json }) => json))
          : table(
              kind.header,
              rows.map(({ cells }) => cells),
            ),
      );
    });
  },
});

export const lineage = defineCommand({
  name: "lineage",
  usage: "lineage index|model|embedding|curriculum|ingest NAME",
  positionals: 2,
  options: meshOptions,
  async run({ options, positionals }) {
    const [kind, name] = positionals;
    if (kind === undefined || name === undefined)
      throw new CliError("usage", "lineage needs a kind and a name");
    await withMesh(options.api, async (mesh) => {
      const { nodes } = await mesh.catalog.getLineage({ kind, name });
      if (options.json)
        return void write(JSON.stringify(nodes.map((node) => toJson(LineageNodeSchema, node))));
      write(lineageText(nodes));
    });
  },
});

/** Lineage as an indented tree: each node under what rests on it, shown once. */
export function lineageText(
  nodes: readonly {
    kind: string;
    name: string;
    sha256: string;
    parents: readonly string[];
    facts: Record<string, string>;
  }[],
): string {
  const byKey = new Map(nodes.map((node) => [`${node.kind}/${node.name}`, node]));
  const shown = new Set<string>();
  const lines: string[] = [];
  const visit = (key: string, depth: number): void => {
    const node = byKey.get(key);
    if (node === undefined) return;
    const again = shown.has(key);
    shown.add(key);
    const facts = Object.entries(node.facts).map(([fact, value]) => `${fact} ${printable(value)}`);
    const sha = node.sha256 === "" ? "" : `  sha256 ${node.sha256.slice(0, 12)}`;
    lines.push(
      `${"  ".repeat(depth)}${node.kind} ${printable(node.name)}${again ? "  (above)" : `${sha}${facts.length > 0 ? `  ${facts.join(", ")}` : ""}`}`,
    );
    if (!again) for (const parent of node.parents) visit(parent, depth + 1);
  };
  const [first] = nodes;
  if (first !== undefined) visit(`${first.kind}/${first.name}`, 0);
  return lines.join("\n");
}
