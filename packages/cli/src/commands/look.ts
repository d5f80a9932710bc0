import { toJson } from "@bufbuild/protobuf";
import { CurriculumState, LineageNodeSchema } from "@cytomesh/contracts/catalog/v1/resources";
import { InspectFileResponseSchema, Severity } from "@cytomesh/contracts/ingest/v1/ingest_service";
import { toUri } from "@cytomesh/object-store";
import { type MeshClient, withMesh } from "../client.ts";
import { type Command, defineCommand, meshOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { formatCount, printable, table } from "../terminal/text.ts";
import { validationOptions } from "./validation-options.ts";

const write = (text: string) => process.stdout.write(`${text}\n`);

const status = defineCommand({
  name: "status",
  summary: "Say which services of the mesh answer.",
  usage: "status",
  positionals: 0,
  options: meshOptions,
  async run({ options }) {
    await withMesh(options.api, async (mesh) => {
      const answer = await mesh.mesh.getMeshStatus({});
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
      if (answer.services.some((one) => !one.serving)) process.exitCode = 1;
    });
  },
});

const inspect = defineCommand({
  name: "inspect",
  summary:
    "Look at a file: shape, matrices, columns, and everything that keeps it out of the warehouse or breaks a profile.",
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
      if (report.problems.length > 0) process.exitCode = 1;
      else write("✔ can be ingested");
    });
  },
});

const kinds: Record<string, (mesh: MeshClient) => Promise<string>> = {
  datasets: async (mesh) =>
    table(
      ["dataset", "cells", "ingests"],
      (await mesh.catalog.listDatasets({})).datasets.map((one) => [
        one.name,
        formatCount(one.cells),
        one.ingests,
      ]),
    ),
  ingests: async (mesh) =>
    table(
      ["ingest", "dataset", "cells", "genes", "source"],
      (await mesh.catalog.listIngests({})).ingests.map((one) => [
        one.id,
        one.dataset,
        formatCount(one.cells),
        formatCount(one.features),
        printable(one.sourceUri),
      ]),
    ),
  curricula: async (mesh) =>
    table(
      ["curriculum", "dataset", "cells", "bins", "state"],
      (await mesh.catalog.listCurricula({})).curricula.map((one) => [
        one.name,
        one.dataset,
        formatCount(one.cells),
        one.bins,
        one.state === CurriculumState.EXTRACTED ? "extracted" : "prepared",
      ]),
    ),
  models: async (mesh) =>
    table(
      ["model", "kind", "dimension", "curriculum", "default"],
      (await mesh.catalog.listModels({})).models.map((one) => [
        one.name,
        one.kind,
        one.dimension,
        one.curriculum,
        one.isDefault ? "yes" : "",
      ]),
    ),
  embeddings: async (mesh) =>
    table(
      ["embedding", "cells", "dimension"],
      (await mesh.catalog.listEmbeddings({})).embeddings.map((one) => [
        one.name,
        formatCount(one.cells),
        one.dimension,
      ]),
    ),
  indexes: async (mesh) =>
    table(
      ["index", "model", "cells", "kind", "metric", "ontology"],
      (await mesh.catalog.listIndexes({})).indexes.map((one) => [
        one.name,
        one.model,
        formatCount(one.cells),
        one.kind,
        one.metric,
        one.ontology,
      ]),
    ),
  ontologies: async (mesh) =>
    table(
      ["ontology", "terms", "column"],
      (await mesh.catalog.listOntologies({})).ontologies.map((one) => [
        one.name,
        formatCount(one.terms),
        one.columnName,
      ]),
    ),
};

const list = defineCommand({
  name: "list",
  summary: "List what the catalog holds.",
  usage: `list ${Object.keys(kinds).join(" | ")}`,
  positionals: 1,
  options: { api: meshOptions.api },
  async run({ options, positionals }) {
    const kind = positionals[0] ?? "";
    const show = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (show === undefined)
      throw new CliError("usage", `list knows ${Object.keys(kinds).join(", ")}; found "${kind}"`);
    await withMesh(options.api, async (mesh) => void write(await show(mesh)));
  },
});

const lineage = defineCommand({
  name: "lineage",
  summary: "Show all that a resource rests on, down to the source files.",
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

/** Verbs that only look. */
export const look: readonly Command[] = [status, inspect, list, lineage];
