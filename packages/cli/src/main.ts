import { ConnectError } from "@connectrpc/connect";
import { tagOf } from "@cytomesh/rpc";
import { type Command, helpOf } from "./command.ts";
import { annotate } from "./commands/annotate.ts";
import { demo } from "./commands/demo.ts";
import { doctor } from "./commands/doctor.ts";
import { files } from "./commands/files.ts";
import { imaging } from "./commands/imaging.ts";
import { imagingJobs } from "./commands/imaging-jobs.ts";
import { job } from "./commands/jobs.ts";
import { look } from "./commands/look.ts";
import { ontology } from "./commands/ontology.ts";
import { steps } from "./commands/steps.ts";
import { up } from "./commands/up.ts";
import { CliError } from "./errors.ts";
import { printableLines } from "./terminal/text.ts";

const commands: readonly Command[] = [
  up,
  demo,
  doctor,
  ...steps,
  annotate,
  ...imagingJobs,
  job,
  ...look,
  ...files,
  ontology,
  imaging,
];

function overview(): string {
  const width = Math.max(...commands.map((command) => command.name.length)) + 2;
  return [
    "cytomesh: single-cell omics and imaging, from files to annotated cells",
    "",
    ...commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    "",
    "cytomesh COMMAND --help says more. Jobs are idempotent: the same command again finds its job.",
    "",
  ].join("\n");
}

function explain(error: unknown): { text: string; code: number } {
  if (error instanceof CliError) return { text: error.message, code: error.exitCode };
  if (error instanceof ConnectError) {
    const tag = tagOf(error);
    return { text: `${error.rawMessage}${tag === undefined ? "" : ` [${tag}]`}`, code: 1 };
  }
  if (error instanceof Error && "tag" in error) return { text: error.message, code: 1 };
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), code: 1 };
}

async function main(argv: readonly string[]): Promise<number> {
  // A verb of two words is known by both.
  const two = argv.slice(0, 2).join(" ");
  const [name, ...args] = commands.some((one) => one.name === two) ? [two, ...argv.slice(2)] : argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(overview());
    return 0;
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    process.stderr.write(`cytomesh: there is no command "${name}"\n\n${overview()}`);
    return 2;
  }
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(helpOf(command));
    return 0;
  }
  const controller = new AbortController();
  const stop = () => {
    // A second signal means: now.
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new CliError("failed", "interrupted"));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    await command.run(args, controller.signal);
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    // What an interruption breaks off fails in its own words; the reason is the interruption.
    const { text, code } = explain(controller.signal.aborted ? controller.signal.reason : error);
    process.stderr.write(`cytomesh ${name}: ${printableLines(text)}\n`);
    return code;
  }
}

process.exit(await main(process.argv.slice(2)));
