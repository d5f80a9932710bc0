import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import {
  AnnDataError,
  copyAnnData,
  type IsolatedReport,
  type IsolateOptions,
  parseGeneList,
  profileOf,
  runIsolated,
  sentenceOf,
  withGeneLists,
} from "@cytomesh/anndata";
import { choiceOption, defineCommand } from "../command.ts";
import { CliError } from "../errors.ts";
import { formatCount, printable } from "../terminal/text.ts";
import { validationOptions } from "./validation-options.ts";

const write = (text: string) => process.stdout.write(`${text}\n`);

/** A file of this size may take minutes to look through; a hostile one must not take for ever. */
const timeoutMs = 60 * 60_000;

const modality = {
  type: "string",
  value: "NAME",
  help: "of a MuData file (.h5mu): the modality, as rna",
} as const;

/** Where a modality stands in MuData. */
function groupOf(name: string | undefined): { group?: string } {
  return name === undefined ? {} : { group: `/mod/${name}` };
}

/** `cytomesh convert` */
export const convert = defineCommand({
  name: "convert",
  usage: "convert FROM TO",
  positionals: 2,
  options: {
    compression: { type: "string", value: "HOW", help: "gzip (the default) or none" },
    modality,
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
    try {
      await copyAnnData(from, to, {
        signal,
        ...groupOf(options.modality),
        ...(compression === undefined ? {} : { compression }),
      });
    } catch (error) {
      throw hinted(error);
    }
  },
});

/** MuData says which groups it has; here they are named by an option. */
function hinted(error: unknown): unknown {
  if (!(error instanceof AnnDataError) || !error.message.includes("this is MuData")) return error;
  return new AnnDataError(error.tag, `${error.message}; here: --modality NAME`, { cause: error });
}

/** What is known of one file: its report, or why it cannot be read. */
type Outcome = { file: string } & ({ report: IsolatedReport } | { refused: AnnDataError });

/** `cytomesh validate` */
export const validate = defineCommand({
  name: "validate",
  usage: "validate FILE…",
  positionals: Number.POSITIVE_INFINITY,
  options: {
    ...validationOptions,
    modality,
    json: { type: "boolean", help: "print a line of JSON per file" },
  },
  async run({ options, positionals, signal }) {
    if (positionals.length === 0) throw new CliError("usage", "validate needs a file");
    const lists = (options["gene-list"] ?? []).map((path) =>
      parseGeneList(basename(path), readFileSync(path)),
    );
    const profile = withGeneLists(profileOf(options.profile ?? "minimal"), lists);
    for (const file of positionals) {
      const found = await look(file, { profile, timeoutMs, signal, ...groupOf(options.modality) });
      if (!isValid(found)) process.exitCode = 1;
      write(options.json ? JSON.stringify(asJson(found, profile.name)) : asText(found, profile.name));
    }
  },
});

/** A file that cannot be read does not keep the others from being looked at. */
async function look(file: string, options: IsolateOptions): Promise<Outcome> {
  try {
    return { file, report: await runIsolated(file, "validate", options) };
  } catch (error) {
    const refused = hinted(error);
    if (options.signal?.aborted || !(refused instanceof AnnDataError)) throw error;
    return { file, refused };
  }
}

function isValid(found: Outcome): boolean {
  return "report" in found && found.report.problems.every(({ severity }) => severity !== "error");
}

function asJson(found: Outcome, profile: string) {
  const head = { file: found.file, profile, valid: isValid(found) };
  if ("refused" in found)
    return {
      ...head,
      problems: [{ code: found.refused.tag, severity: "error", message: found.refused.message }],
    };
  const { nObs, nVar, problems } = found.report;
  return { ...head, cells: nObs, features: nVar, problems };
}

function asText(found: Outcome, profile: string): string {
  if ("refused" in found) return `✖ ${printable(found.refused.message)}`;
  const { nObs, nVar, problems } = found.report;
  return [
    `${printable(found.file)}: ${formatCount(nObs)} cells × ${formatCount(nVar)} features, held against ${profile}`,
    ...problems.map(
      (problem) => `${problem.severity === "error" ? "✖" : "!"} ${printable(sentenceOf(problem))}`,
    ),
    ...(isValid(found) ? [`✔ satisfies ${profile}`] : []),
  ].join("\n");
}
