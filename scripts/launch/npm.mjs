import { spawn } from "node:child_process";
import { basename, delimiter, dirname } from "node:path";

/** A failure the person at the terminal can act on: printed as one message, without a stack. */
export class LaunchError extends Error {}

const NETWORK =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT|ENOTCACHED)\b/;
const TRUST =
  /\b(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT\w*|UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_\w+)\b/;
const REFUSED = /\b(E401|E403|ENEEDAUTH)\b/;
const MISSING = /\b(E404|ETARGET|ENOVERSIONS)\b/;

/** One sentence for what npm's output says went wrong with the registry, or undefined when it was something else. */
export function explainNpmFailure(output) {
  if (TRUST.test(output))
    return "the registry's certificate is not trusted here: point NODE_EXTRA_CA_CERTS at your CA bundle and run again.";
  if (NETWORK.test(output))
    return "the npm registry cannot be reached from here: check the network, or npm's registry and proxy settings, and run again.";
  if (REFUSED.test(output))
    return "the npm registry refused the request: check the credentials in your .npmrc and run again.";
  if (MISSING.test(output))
    return "the npm registry does not carry this package version: use a registry that mirrors all of npm and run again.";
  if (/\bEUSAGE\b/.test(output) && /in sync/.test(output))
    return "package-lock.json does not belong to the package.json files: run npm install and commit the lockfile.";
  if (/\bENOSPC\b/.test(output)) return "the disk is full: free about 1 GB and run again.";
  return undefined;
}

/** npm says the cause first and where its log is last; help texts stand between. */
function middleCut(lines) {
  return lines.length <= 40 ? lines : [...lines.slice(0, 30), "…", ...lines.slice(-10)];
}

/** The environment in which `node` means `nodePath`, for npm and everything it starts. */
export function environmentWith(nodePath, extra = {}) {
  const env = { ...process.env, ...extra };
  const key = Object.keys(env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  const dir = dirname(nodePath);
  if (env[key]?.split(delimiter)[0] !== dir) env[key] = [dir, env[key]].filter(Boolean).join(delimiter);
  return env;
}

function npmCommand(nodePath) {
  // Inside `npm test` npm says where it lives, which also works where no `npm` is on PATH. yarn and pnpm set the variable too.
  const running = process.env.npm_execpath;
  if (running && basename(running) === "npm-cli.js") return { file: nodePath, args: [running], shell: false };
  return { file: "npm", args: [], shell: process.platform === "win32" };
}

/**
 * Runs npm quietly with `nodePath` as its Node; resolves when it succeeds.
 * @throws LaunchError with npm's own error lines, and one sentence on what to do when the registry is at fault.
 */
export async function runNpm(nodePath, args, { cwd, env = {}, what, onStart = () => {} }) {
  const npm = npmCommand(nodePath);
  const child = spawn(
    npm.file,
    [...npm.args, ...args, "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"],
    {
      cwd,
      env: environmentWith(nodePath, env),
      shell: npm.shell,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  if (child.pid !== undefined) onStart(child.pid);
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode, signal) => resolve(signal ?? exitCode));
  }).catch((error) => {
    if (error.code === "ENOENT")
      throw new LaunchError(`${what} needs npm, which is not on PATH: install npm 10 or newer.`);
    throw error;
  });
  if (code === 0) return;
  const output = Buffer.concat(chunks).toString().trim();
  const why = explainNpmFailure(output);
  const lines = output.split("\n");
  // A known cause needs no more than npm's first words about it.
  const shown = why
    ? lines.filter((line) => !/^npm (error|ERR!)\s+at /.test(line)).slice(0, 4)
    : middleCut(lines);
  throw new LaunchError([`${what} failed: ${why ?? `npm ended with ${code}.`}`, ...shown].join("\n"));
}
