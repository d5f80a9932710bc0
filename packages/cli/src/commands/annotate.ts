import { writeFile } from "node:fs/promises";
import { granularCaller } from "../annotate/granular-call.ts";
import { annotateOverGrpc, majorityCall, type Strategy } from "../annotate/grpc.ts";
import { openQuery } from "../annotate/query-file.ts";
import { withMesh } from "../client.ts";
import { defineCommand, integerOption, meshOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { startProgress } from "../terminal/progress.ts";
import { csvLine, formatCount, formatSeconds } from "../terminal/text.ts";
import { readOntologyFile } from "./ontology.ts";

/** `cytomesh annotate`: a file of cells in, a table of calls out. */
export const annotate = defineCommand({
  name: "annotate",
  usage: "annotate FILE [--output calls.csv]",
  positionals: 1,
  options: {
    api: meshOptions.api,
    index: { type: "string", value: "NAME", help: "index; default: that of the model" },
    model: { type: "string", value: "NAME", help: "model; default: the default one" },
    strategy: {
      type: "string",
      value: "HOW",
      help: "summary-statistics or ontology-aware",
      default: "summary-statistics",
    },
    ontology: {
      type: "string",
      value: "FILE",
      help: "ontology file, to choose the most granular term (ontology-aware)",
    },
    neighbors: { type: "string", value: "N", help: "reference cells per query" },
    output: { type: "string", value: "FILE", help: "CSV to write; default: standard output" },
  },
  async run({ options, positionals, signal }) {
    const [file] = positionals;
    if (file === undefined) throw new CliError("usage", "annotate needs a file");
    if (options.strategy !== "summary-statistics" && options.strategy !== "ontology-aware")
      throw new CliError(
        "usage",
        `--strategy knows summary-statistics and ontology-aware; found "${options.strategy}"`,
      );
    const strategy: Strategy = options.strategy;
    if (strategy === "ontology-aware" && options.ontology === undefined)
      throw new CliError(
        "usage",
        "--strategy ontology-aware needs --ontology FILE to choose the most granular term",
      );
    const call =
      strategy === "ontology-aware"
        ? granularCaller(await readOntologyFile(options.ontology as string))
        : majorityCall;
    const neighbors = integerOption("neighbors", options.neighbors, { min: 1, max: 10_000 });
    const query = await openQuery(file);
    const began = Date.now();
    const line = startProgress("annotate");
    try {
      await withMesh(options.api, async (mesh) => {
        const asked = {
          strategy,
          index: options.index,
          model: options.model,
          neighbors,
          signal,
          onCells: (done: number) => line.update({ done, total: query.cells, unit: "cells", message: "" }),
        };
        const { origin, cells } = await annotateOverGrpc(mesh, query, asked, (cell) => {
          const { label, termId, score } = call(cell);
          return csvLine([cell.queryCellId, label, termId, score.toFixed(4)]);
        });
        line.finish(
          `✔ annotate  ${formatCount(cells.length)} cells against index ${origin?.index ?? "?"} (model ${origin?.model ?? "?"}, ${formatCount(origin?.overlap?.sharedGenes ?? 0)} shared genes)  ${formatSeconds(Date.now() - began)}`,
        );
        const text = `${["cell_id,cell_type,cell_type_ontology_term_id,score", ...cells].join("\n")}\n`;
        if (options.output === undefined) process.stdout.write(text);
        else await writeFile(options.output, text);
      });
    } finally {
      query.close();
    }
  },
});
