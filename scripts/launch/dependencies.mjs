import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runNpm } from "./npm.mjs";

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  }
}

/**
 * Whether what npm recorded as installed (`node_modules/.package-lock.json`) is what the lockfile asks for, so that a developer's own
 * `npm install` is not followed by a needless `npm ci`. Optional packages may be missing: they are for other platforms.
 */
export function matchesLockfile(lockText, hiddenText) {
  const wanted = JSON.parse(lockText).packages;
  const installed = JSON.parse(hiddenText).packages;
  if (Object.keys(installed).some((path) => wanted[path] === undefined)) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true;
    const found = installed[path];
    if (found === undefined)
      return entry.optional === true || entry.devOptional === true || entry.peer === true;
    // An entry for another registry's platforms may lack its integrity; where the file came from is no difference.
    const sameContent = !entry.integrity || found.integrity === entry.integrity;
    return (
      found.version === entry.version && sameContent && (!entry.link || found.resolved === entry.resolved)
    );
  });
}

function expectedStamp(lockText) {
  // The platform belongs to it: a checkout shared with a container has the other platform's binaries inside.
  return `${createHash("sha256").update(lockText).digest("hex")} ${process.platform}-${process.arch}\n`;
}

/** What has to be done so that node_modules holds what package-lock.json asks for: nothing, only write the stamp, or `npm ci`. */
export function planInstall(root) {
  const lockText = readFileSync(join(root, "package-lock.json"), "utf8");
  const expected = expectedStamp(lockText);
  const stamp = readText(join(root, "node_modules/.cytomesh-lock"));
  const hidden = readText(join(root, "node_modules/.package-lock.json"));
  if (stamp === expected && hidden !== undefined) return { action: "none", expected };
  const platformChanged = stamp !== undefined && stamp.split(" ")[1] !== expected.split(" ")[1];
  if (hidden !== undefined && !platformChanged && matchesLockfile(lockText, hidden))
    return { action: "stamp", expected };
  return { action: "install", expected };
}

/** Installs the locked dependencies when they are missing or out of date. The caller holds the install lock, and hears of npm's process. */
export async function installDependencies(root, node, onStart) {
  const { action, expected } = planInstall(root);
  if (action === "none") return;
  if (action === "install") {
    console.error("cytomesh: installing dependencies with npm ci …");
    await runNpm(node.path, ["ci", "--include=dev", "--include=optional"], {
      cwd: root,
      // Its install script would fetch GPU libraries; the CPU ones are in the package.
      env: { ONNXRUNTIME_NODE_INSTALL: "skip" },
      what: "npm ci",
      onStart,
    });
  }
  writeFileSync(join(root, "node_modules/.cytomesh-lock"), expected);
}
