// Starts any cytomesh verb from a bare checkout: finds or installs a Node that runs TypeScript, installs the dependencies, generates
// the contracts, then hands over. Plain JavaScript that runs on Node 20 and needs nothing but npm.
//
//   node scripts/launch.mjs test [files…] | pack [folder]      node scripts/launch.mjs demo | up | job … (any verb of packages/cli)
//   node scripts/launch.mjs --setup            only prepares, and prints the folder of the chosen Node
//   CYTOMESH_SETUP=skip                        trusts what is installed (images, read-only checkouts)
import { spawn } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installDependencies } from "./launch/dependencies.mjs";
import { withLock } from "./launch/file-lock.mjs";
import { smallMemory } from "./launch/memory.mjs";
import { findNode } from "./launch/node-runtime.mjs";
import { environmentWith, LaunchError } from "./launch/npm.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a script to its end; resolves to the exit code, or to the signal that ended it. */
function run(node, args, options) {
  const child = spawn(node.path, args, {
    stdio: "inherit",
    env: environmentWith(node.path, smallMemory(process.env)),
    ...options,
  });
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const forward = (signal) => {
    // A terminal sends Ctrl-C to the whole foreground group: the child has it already, and a second one would mean "now".
    if (!(signal === "SIGINT" && atTerminal)) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"].filter(
    (name) => process.platform !== "win32" || name !== "SIGQUIT",
  );
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      for (const name of signals) process.removeListener(name, forward);
      resolve(signal ?? code);
    });
  });
}

async function prepare(node) {
  const waiting = () =>
    console.error("cytomesh: another launcher is preparing this checkout, waiting for it …");
  await withLock(
    join(root, ".cytomesh/install.lock"),
    async (alsoHeldBy) => {
      await installDependencies(root, node, alsoHeldBy);
      const ended = await run(node, [join(root, "scripts/generate.mjs")], {
        cwd: root,
        stdio: ["ignore", 2, 2],
      });
      if (ended !== 0)
        throw new LaunchError(
          `generating the contracts failed (${ended}); run \`npm run generate\` to see it again.`,
        );
    },
    waiting,
  );
}

/** Prepares the checkout and runs the verb; resolves to what the process should end with. */
export async function launch(argv) {
  const { cytomesh } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const node = await findNode(cytomesh.node);
  if (process.env.CYTOMESH_SETUP !== "skip") await prepare(node);
  const [verb, ...args] = argv;
  if (verb === "--setup") {
    console.log(dirname(node.path));
    return 0;
  }
  if (verb === "test" || verb === "pack") return run(node, [join(root, `scripts/${verb}.mjs`), ...args]);
  return run(node, [join(root, "packages/cli/src/main.ts"), ...argv]);
}

/** `launch`, then ends this process the way the verb ended: same exit code, same signal. */
export async function main(argv) {
  try {
    const ended = await launch(argv);
    if (typeof ended === "number") process.exitCode = ended;
    else {
      process.exitCode = 128 + constants.signals[ended];
      process.kill(process.pid, ended);
    }
  } catch (error) {
    console.error(error instanceof LaunchError ? `cytomesh: ${error.message}` : error);
    process.exitCode = 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await main(process.argv.slice(2));
