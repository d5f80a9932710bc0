// Prints the path of the oldest Node that packages/anndata says it runs on, after installing it from npm into the per-user cache.
import { readFileSync } from "node:fs";
import { cachedNode } from "../launch/node-runtime.mjs";

const manifest = JSON.parse(
  readFileSync(new URL("../../packages/anndata/package.json", import.meta.url), "utf8"),
);
const [oldest] = /\d+\.\d+\.\d+/.exec(manifest.engines.node);
console.log(await cachedNode(oldest));
