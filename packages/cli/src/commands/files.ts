import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { copyAnnData, parseGeneList, profileOf, runIsolated, withGeneLists } from "@cytomesh/anndata";
import { type Command, choiceOption, defineCommand } from "../command.ts";
import { CliError } from "../errors.ts";
import { formatCount, printable } from "../terminal/text.ts";
import { validationOptions } from "./validation-options.ts";

const write = (text: string) => process.stdout.write(`${text}\n`);

/** A file of this size may take minutes to look through; a hostile one must not take for ever. */
const timeoutMs = 60 * 60_000;

const convert = defineCommand({
  name: "convert",
  summary:
    "Convert a local file between .h5ad, zarr (.zarr, .zarr.zip) and, as a source, 10x, Matrix Market and loom.",
  usage: "convert FROM TO",
  positionals: 2,
  options: {
    compression: { type: "string", value: "HOW", help: "gzip (the default) or none" },
    overwrite: { type: "boolean", help: "replace what stands at TO" },
  },
  async run({ options, positionals, signal }) {
    const [from, to] = positionals;
    if (from === undefined || to === undefined) throw new CliError("usage", "use: convert FROM TO");
    if (!/\.(h5ad|zarr|zarr\.zip)\/?$/.test(to))
      throw new CliError(
        "usage",
        `the name of the target tells its format: expected .h5ad, .zarr or .zarr.zip, found ${printable(to)}`,
      );
    if (existsSync(to) && !options.overwrite)
      throw new CliError("failed", `${printable(to)} is there already; --overwrite replaces it`);
    const compression = choiceOption("compression", options.compression, {
      gzip: "gzip",
      none: "none",
    } as const);
    await copyAnnData(from, to, { signal, ...(compression === undefined ? {} : { compression }) });
  },
});

const validate = defineCommand({
  name: "validate",
  summary: "Hold a local file against a profile and list everything wrong with it. Needs no mesh.",
  usage: "validate FILE",
  positionals: 1,
  options: { ...validationOptions, json: { type: "boolean", help: "print the findings as JSON" } },
  async run({ options, positionals, signal }) {
    const [file] = positionals;
    if (file === undefined) throw new CliError("usage", "validate needs a file");
    const lists = (options["gene-list"] ?? []).map((path) =>
      parseGeneList(basename(path), readFileSync(path)),
    );
    const profile = withGeneLists(profileOf(options.profile ?? "minimal"), lists);
    const { problems, nObs, nVar } = await runIsolated(file, "validate", { profile, timeoutMs, signal });
    const errors = problems.filter(({ severity }) => severity === "error");
    if (errors.length > 0) process.exitCode = 1;
    if (options.json) return void write(JSON.stringify(problems));
    write(`${formatCount(nObs)} cells × ${formatCount(nVar)} features, held against ${profile.name}`);
    for (const { severity, message } of problems)
      write(`${severity === "error" ? "✖" : "!"} ${printable(message)}`);
    if (errors.length === 0) write(`✔ satisfies ${profile.name}`);
  },
});

/** Verbs on local files; they need no mesh. */
export const files: readonly Command[] = [convert, validate];
