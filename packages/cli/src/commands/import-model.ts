import { createHash } from "node:crypto";
import { type ObjectStore, toUri } from "@cytomesh/object-store";
import { type ImportedModel, importModel } from "@cytomesh/segmentation";
import { choiceOption, defineCommand } from "../command.ts";
import { CliError } from "../errors.ts";
import { openStore } from "../local-store.ts";
import { formatCount, printable } from "../terminal/text.ts";

const normalizations = { "min-max": "min-max", percentile: "percentile", none: "none" } as const;

/** `cytomesh imaging import-model`: what imaging needs beside its jobs. Works without a mesh. */
export const importModelVerb = defineCommand({
  name: "imaging import-model",
  usage: "imaging import-model WEIGHTS --output URI",
  positionals: 1,
  options: {
    output: { type: "string", value: "URI", help: "where the model goes (path, file://, gs:// or s3://)" },
    config: {
      type: "string",
      value: "FILE",
      help: "StarDist's config.json; default: beside the weights, or read off them",
    },
    thresholds: {
      type: "string",
      value: "FILE",
      help: "StarDist's thresholds.json; default: beside the weights, or those of the published model",
    },
    sha256: { type: "string", value: "HEX", help: "what the file, or the weights in it, must hash to" },
    normalization: {
      type: "string",
      value: "HOW",
      help: "min-max (default), percentile (1 to 99.8) or none: how images become what the network expects",
    },
    overwrite: { type: "boolean", help: "replace what is there" },
    json: { type: "boolean", help: "print JSON instead of text" },
  },
  async run({ options, positionals }) {
    const [weights] = positionals;
    if (weights === undefined || options.output === undefined)
      throw new CliError("usage", "use: imaging import-model WEIGHTS --output URI");
    if (options.sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(options.sha256))
      throw new CliError("usage", `--sha256 expects 64 hexadecimal digits, found "${options.sha256}"`);
    const normalization = choiceOption("normalization", options.normalization, normalizations);
    const { config, thresholds, sha256 } = options;
    const imported = await importModel(weights, {
      ...(config === undefined ? {} : { config }),
      ...(thresholds === undefined ? {} : { thresholds }),
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(normalization === undefined ? {} : { normalization }),
    });
    const uri = toUri(options.output);
    const store = openStore();
    try {
      await put(store, uri, imported, options.overwrite);
    } finally {
      await store.close();
    }
    process.stdout.write(
      options.json ? `${JSON.stringify(summaryOf(imported, uri))}\n` : describe(imported, uri),
    );
    for (const warning of imported.warnings) process.stderr.write(`${printable(warning)}\n`);
  },
});

/** Writes the model. The same one may be there already, so that the command can be repeated; another is replaced when asked alone. */
async function put(
  store: ObjectStore,
  uri: string,
  { onnx, model }: ImportedModel,
  overwrite: boolean,
): Promise<void> {
  if (!overwrite && (await store.head(uri)) !== undefined) {
    const there = createHash("sha256")
      .update(await store.get(uri))
      .digest("hex");
    if (there === model.sha256) return;
    throw new CliError("failed", `${uri} is there already, and another model; --overwrite replaces it`);
  }
  await store.put(uri, onnx, { contentType: "application/octet-stream", ifAbsent: !overwrite });
}

function summaryOf({ model, format, parameters, known, warnings }: ImportedModel, uri: string) {
  return { uri, format, parameters, known: known ?? null, ...model, warnings };
}

function describe({ model, format, parameters, known }: ImportedModel, uri: string): string {
  const { config, thresholds } = model;
  return [
    `${printable(uri)}: ${known ?? "StarDist 2D"} from ${format}, ${formatCount(parameters)} parameters`,
    `  sha256      ${model.sha256}`,
    `  weights     ${model.sourceSha256}${known === undefined ? " (not one of the published models)" : ""}`,
    `  network     ${config.rays} rays, grid ${config.grid.join(" × ")}, depth ${config.depth}, ${config.channelsIn} channel(s), context ${model.reachPx} px`,
    `  thresholds  probability ${thresholds.prob}, overlap ${thresholds.nms}; normalisation ${model.normalization}`,
    "",
  ].join("\n");
}
