import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { withLock } from "./file-lock.mjs";
import { LaunchError, runNpm } from "./npm.mjs";

const PACKAGED = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win-x64"];

/** Whether this Node runs the sources: 24 and newer (type stripping, `using`, zstd and relaxed SIMD without flags). */
export function isSupported(version) {
  return Number.parseInt(version.replace(/^v/, ""), 10) >= 24;
}

export function cacheDir(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "cytomesh");
}

function packagePlatform() {
  const name = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  if (PACKAGED.includes(name)) return name;
  throw new LaunchError(
    `Node ${process.versions.node} is too old (24 or newer is needed), and there is no packaged Node for ${name}: install Node 24 and run again.`,
  );
}

function versionOf(nodePath) {
  try {
    return execFileSync(nodePath, ["--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}

async function install(target, platform, version) {
  const parent = join(target, "..");
  mkdirSync(parent, { recursive: true });
  const temp = mkdtempSync(join(parent, ".installing-"));
  try {
    const spec = `node-${platform}@${version}`;
    console.error(
      `cytomesh: this is Node ${process.versions.node}, installing Node ${version} into ${target} (once) …`,
    );
    await runNpm(process.execPath, ["install", "--prefix", temp, "--no-save", "--ignore-scripts", spec], {
      cwd: temp,
      what: `installing Node ${version}`,
    });
    const installed = versionOf(binaryIn(temp, platform));
    if (installed !== `v${version}`)
      throw new LaunchError(
        `the packaged Node ${version} does not run on this system (it needs glibc 2.28 or newer on Linux): install Node 24 and run again.`,
      );
    // The rename makes it visible all at once: a cache folder that exists is complete, whatever was killed before.
    renameSync(temp, target);
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

function binaryIn(dir, platform) {
  return join(
    dir,
    "node_modules",
    `node-${platform}`,
    "bin",
    platform.startsWith("win") ? "node.exe" : "node",
  );
}

/**
 * The Node to run everything with: this one when it is new enough, else `pinned` from the per-user cache, installed from npm when missing.
 * @returns {Promise<{path: string, version: string}>}
 */
export async function findNode(pinned) {
  if (isSupported(process.versions.node)) return { path: process.execPath, version: process.versions.node };
  return { path: await cachedNode(pinned), version: pinned };
}

/** The path of this very version in the per-user cache, installed from npm when missing. */
export async function cachedNode(version) {
  const platform = packagePlatform();
  const target = join(cacheDir(), `node-${version}-${platform}`);
  const path = binaryIn(target, platform);
  if (!existsSync(path)) {
    const waiting = () => console.error("cytomesh: another launcher is installing Node, waiting for it …");
    await withLock(
      `${target}.lock`,
      async () => existsSync(path) || install(target, platform, version),
      waiting,
    );
  }
  return path;
}
