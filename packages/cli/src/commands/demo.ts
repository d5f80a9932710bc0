import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { joinUri, toUri } from "@cytomesh/object-store";
import type { OntologyResource } from "@cytomesh/ontology";
import { connectMesh, type MeshClient } from "../client.ts";
import { defineCommand, integerOption, meshOptions } from "../command.ts";
import { annotateQuery, type QueryResult, resultLine } from "../demo-run/annotate-all.ts";
import { type DemoNames, demoNames, inspectReferences, runChain } from "../demo-run/jobs.ts";
import { type DemoData, generateData, ownData } from "../demo-run/plan.ts";
import { CliError } from "../errors.ts";
import { type RunningMesh, startMesh, unusedPorts } from "../mesh/start-mesh.ts";
import {
  csvLine,
  formatCount,
  formatSeconds,
  formatSize,
  printable,
  printableLines,
  table,
} from "../terminal/text.ts";
import { lineageText } from "./look.ts";
import { readOntologyFile, registerOntology } from "./ontology.ts";

/** `cytomesh demo`: the main job from end to end. */
export const demo = defineCommand({
  name: "demo",
  usage: "demo [--keep] [--input FILE… --query FILE…]",
  positionals: Number.POSITIVE_INFINITY,
  options: {
    input: {
      type: "string",
      multiple: true,
      value: "FILE",
      help: "your reference files (further names may follow); default: generated studies",
    },
    query: { type: "string", multiple: true, value: "FILE", help: "your held-aside files" },
    label: {
      type: "string",
      value: "COLUMN",
      help: "obs column of the labels in your files",
      default: "cell_type",
    },
    ontology: {
      type: "string",
      value: "FILE",
      help: "cell ontology (.obo, .json, .zst) for your files; default: none, summary statistics only",
    },
    seed: {
      type: "string",
      value: "N",
      help: "seed of the generated data and of the curriculum",
      default: "1",
    },
    cells: { type: "string", value: "N", help: "cells per generated study" },
    keep: { type: "boolean", help: "leave the mesh running until Ctrl-C" },
    "data-dir": {
      type: "string",
      value: "DIR",
      help: "where to keep everything; default: a temporary folder that is removed",
    },
    api: meshOptions.api,
    http: { type: "string", value: "URL", help: "with --api: REST address of the mesh that runs already" },
    store: {
      type: "string",
      value: "URI",
      help: "with --api: a place that its services can read, for the ontology",
    },
    name: { type: "string", value: "PREFIX", help: "prefix of what is made in the catalog", default: "demo" },
    report: {
      type: "string",
      value: "DIR",
      help: "write report.json and one CSV of calls per query and strategy there",
    },
    confusion: { type: "boolean", help: "print the confusion table of every query" },
  },
  async run({ options, positionals, signal }) {
    const began = Date.now();
    const seed = integerOption("seed", options.seed, { min: 0, max: 2 ** 31 - 1 }) ?? 1;
    const cellsPerStudy = integerOption("cells", options.cells, { min: 50, max: 1_000_000 });
    const own = options.input.length > 0 || options.query.length > 0;
    if (positionals.length > 0 && options.input.length === 0)
      throw new CliError("usage", `unexpected "${positionals.join(" ")}"; name your files with --input`);
    const temporary = options["data-dir"] === undefined;
    const dir = temporary
      ? await mkdtemp(join(tmpdir(), "cytomesh-demo-"))
      : resolve(options["data-dir"] as string);
    const steps: { title: string; ms: number }[] = [];
    const timed = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
      const at = Date.now();
      const value = await work();
      steps.push({ title, ms: Date.now() - at });
      return value;
    };
    let stage: Stage | undefined;
    try {
      const data = await timed(own ? "read labels" : "generate data", () =>
        own
          ? ownData({
              inputs: [...options.input, ...positionals],
              queries: options.query,
              label: options.label as string,
              ontology: options.ontology,
            })
          : generateData(dir, { seed, cellsPerStudy, signal }),
      );
      say(
        `${data.references.length} reference file(s), ${data.queries.length} query file(s)${data.generated ? `, generated from seed ${seed}` : ""}`,
      );
      stage = await timed("start the mesh", () => openStage(options, dir));
      const { mesh, httpUrl, storeUri } = stage;
      const names = demoNames(options.name as string);
      const resource = await timed("ontology", () => addOntology(mesh, data, names, storeUri));
      const cells = await timed("inspect", () => inspectReferences(mesh, data, signal));
      steps.push(
        ...(await runChain(mesh, data, names, {
          cells,
          seed,
          key: `${names.dataset}-${seed}-${began}`,
          signal,
        })),
      );
      const results: QueryResult[] = [];
      for (const query of data.queries)
        results.push(
          ...(await timed("annotate", () => annotateQuery(mesh, httpUrl, query, names, resource, signal))),
        );
      await report({
        stage,
        names,
        results,
        steps,
        began,
        confusion: options.confusion || results.some((one) => (one.score?.cells ?? 0) > 0 && !data.generated),
      });
      if (options.report !== undefined)
        await writeReport(resolve(options.report), { names, results, steps, began });
      if (options.keep) await keep(stage, signal);
    } finally {
      await stage?.close();
      if (temporary) await rm(dir, { recursive: true, force: true });
    }
  },
});

const say = (text: string) => process.stderr.write(`${text}\n`);

/** The mesh that the demo runs on: its own, or one that runs already. */
interface Stage {
  readonly mesh: MeshClient;
  readonly running: RunningMesh | undefined;
  readonly httpUrl: string;
  readonly storeUri: string;
  close(): Promise<void>;
}

async function openStage(
  options: { api: string | undefined; http: string | undefined; store: string | undefined },
  dir: string,
): Promise<Stage> {
  if (options.api !== undefined) {
    if (options.http === undefined || options.store === undefined)
      throw new CliError("usage", "--api needs --http URL and --store URI beside it");
    const mesh = connectMesh(options.api);
    return {
      mesh,
      running: undefined,
      httpUrl: options.http.replace(/\/$/, ""),
      storeUri: toUri(options.store),
      close: async () => mesh.close(),
    };
  }
  const running = await startMesh({ dataDir: dir, ports: await unusedPorts(), logLevel: "error" });
  const mesh = connectMesh(running.edgeAddress);
  say(`mesh of 7 services in this process: ${running.httpUrl}, bus: ${running.bus}`);
  return {
    mesh,
    running,
    httpUrl: running.httpUrl,
    storeUri: process.env.CYTOMESH_STORE_URI ?? toUri(join(dir, "store")),
    async close() {
      mesh.close();
      await running.stop();
    },
  };
}

async function addOntology(
  mesh: MeshClient,
  data: DemoData,
  names: DemoNames,
  storeUri: string,
): Promise<OntologyResource | undefined> {
  if (data.ontology === undefined) return undefined;
  const resource = await readOntologyFile(data.ontology);
  await registerOntology(mesh, {
    name: names.ontology,
    resource,
    uri: joinUri(storeUri, "ontologies", `${names.ontology}.json`),
    description: "Registered by the demo.",
  });
  return resource;
}

async function report(o: {
  stage: Stage;
  names: DemoNames;
  results: readonly QueryResult[];
  steps: readonly { title: string; ms: number }[];
  began: number;
  confusion: boolean;
}): Promise<void> {
  const out = (text = "") => process.stdout.write(`${text}\n`);
  out();
  for (const result of o.results) {
    out(`${result.query.slice(result.query.lastIndexOf("/") + 1)}  ${resultLine(result)}`);
    for (const { truth, call, cells } of result.score?.mistakes.slice(0, 3) ?? [])
      out(`    ${formatCount(cells)} × ${printable(truth)} called ${printable(call)}`);
    if (o.confusion && result.confusion !== undefined) out(`\n${printableLines(result.confusion)}\n`);
  }
  out("\nWhat an answer rests on:");
  const { nodes } = await o.stage.mesh.catalog.getLineage({ kind: "index", name: o.names.index });
  out(lineageText(nodes));
  out();
  out(
    table(
      ["step", "time"],
      o.steps.map(({ title, ms }) => [title.trim(), formatSeconds(ms)]),
    ),
  );
  out();
  out(
    `done in ${formatSeconds(Date.now() - o.began)}, peak memory ${formatSize(process.resourceUsage().maxRSS * 1024)}${o.stage.running === undefined ? " (this client)" : ""}`,
  );
}

/** The figures as files, for scripts. */
async function writeReport(
  dir: string,
  o: {
    names: DemoNames;
    results: readonly QueryResult[];
    steps: readonly { title: string; ms: number }[];
    began: number;
  },
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const results = o.results.map(({ calls: _calls, cellIds: _ids, confusion: _confusion, ...rest }) => rest);
  const report = {
    names: o.names,
    steps: o.steps.map(({ title, ms }) => ({ title: title.trim(), ms })),
    results,
    totalMs: Date.now() - o.began,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    node: process.versions.node,
  };
  await writeFile(join(dir, "report.json"), `${JSON.stringify(report, undefined, 1)}\n`);
  for (const { query, strategy, cellIds, calls } of o.results) {
    const rows = calls.map((call, i) =>
      csvLine([cellIds[i] ?? "", call.label, call.termId, String(call.score)]),
    );
    const text = ["cell_id,cell_type,cell_type_ontology_term_id,score", ...rows, ""].join("\n");
    await writeFile(join(dir, `calls-${basename(query, ".h5ad")}-${strategy}.csv`), text);
  }
}

async function keep(stage: Stage, signal: AbortSignal): Promise<void> {
  const { running, mesh } = stage;
  const api = mesh.target;
  say(
    [
      "",
      "The mesh is still running. Where to look next:",
      `  ${stage.httpUrl}                               the mesh in a browser`,
      `  ${stage.httpUrl}/openapi.json                  the REST API`,
      `  npx cytomesh job list --api ${api}        its jobs`,
      `  npx cytomesh list indexes --api ${api}    what it made`,
      ...(running === undefined ? [] : [`  ${running.dataDir}   its files`]),
      "  Ctrl-C stops it.",
    ].join("\n"),
  );
  await new Promise<void>((done) => {
    if (signal.aborted) done();
    else signal.addEventListener("abort", () => done(), { once: true });
  });
}
