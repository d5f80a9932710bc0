import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { helpOf } from "./command.ts";
import { CliError } from "./errors.ts";
import { printableLines } from "./terminal/text.ts";
import { findVerb, similarVerbs, type Verb, verbs, verbsOf } from "./verbs.ts";

// What Node makes of the code is kept beside what the launcher keeps, before any verb is loaded: the second call takes half the time.
process.env.NODE_COMPILE_CACHE ??= join(
  process.env.XDG_CACHE_HOME || join(homedir(), ".cache"),
  "cytomesh/compiled",
);
enableCompileCache(process.env.NODE_COMPILE_CACHE);

function overview(shown: readonly Verb[] = verbs): string {
  const width = Math.max(...shown.map((verb) => verb.name.length)) + 2;
  return [
    "cytomesh: single-cell omics and imaging, from files to annotated cells",
    "",
    ...shown.map((verb) => `  ${verb.name.padEnd(width)}${verb.summary}`),
    "",
    "cytomesh VERB --help says more. Jobs are idempotent: the same command again finds its job.",
    "",
  ].join("\n");
}

async function explain(error: unknown): Promise<{ text: string; code: number }> {
  if (error instanceof CliError) return { text: error.message, code: error.exitCode };
  const [{ ConnectError }, { tagOf }] = await Promise.all([
    import("@connectrpc/connect"),
    import("@cytomesh/rpc"),
  ]);
  if (error instanceof ConnectError) {
    const tag = tagOf(error);
    return { text: `${error.rawMessage}${tag === undefined ? "" : ` [${tag}]`}`, code: 1 };
  }
  if (error instanceof Error && "tag" in error) return { text: error.message, code: 1 };
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), code: 1 };
}

/** Says what there is instead of what was asked for. Exit code 2. */
function refuse(argv: readonly string[]): number {
  const group = verbsOf(argv[0] as string);
  const asked = group.length > 0 && argv[1] !== undefined ? `${argv[0]} ${argv[1]}` : (argv[0] as string);
  if (group.length > 0) {
    process.stderr.write(
      `cytomesh: ${argv[1] === undefined ? `"${asked}" wants one word more` : `there is no verb "${asked}"`}\n\n${overview(group)}`,
    );
    return 2;
  }
  const close = similarVerbs(asked);
  process.stderr.write(
    `cytomesh: there is no verb "${asked}"${close.length > 0 ? `; did you mean ${close.join(", ")}?` : ""} cytomesh --help lists them\n`,
  );
  return 2;
}

const helpWords = new Set(["help", "--help", "-h"]);

async function main(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  if (first === "--version" || first === "-V" || first === "version") {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    process.stdout.write(`${version}\n`);
    return 0;
  }
  // `help VERB` is `VERB --help`.
  if (first === "help" && argv.length > 1) return main([...argv.slice(1), "--help"]);
  if (first === undefined || helpWords.has(first)) {
    process.stdout.write(overview());
    return 0;
  }
  const found = findVerb(argv);
  if (found === undefined) {
    const group = verbsOf(first);
    if (group.length === 0 || argv[1] === undefined || !helpWords.has(argv[1])) return refuse(argv);
    process.stdout.write(overview(group));
    return 0;
  }
  const { verb, args } = found;
  const command = await verb.load();
  const beforeEnd = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  if (beforeEnd.includes("--help") || beforeEnd.includes("-h")) {
    process.stdout.write(helpOf(command, verb.summary));
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
    const { text, code } = await explain(controller.signal.aborted ? controller.signal.reason : error);
    process.stderr.write(`cytomesh ${verb.name}: ${printableLines(text)}\n`);
    return code;
  }
}

// A reader that has seen enough ends this as it ends other commands (128 + SIGPIPE); a full disk is a failure, told as far as it can be.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(141);
  process.stderr.write(`cytomesh: standard output: ${printableLines(error.message)}\n`);
  process.exit(1);
});

const code = await main(process.argv.slice(2));
// Pipes may still hold what was written, and an error in writing it may still come.
await new Promise<void>((resolve) => process.stdout.write("", () => setImmediate(resolve)));
process.exit(code);
