// What is generated and not committed, made when its sources or its generator changed: the contracts' code, the WebAssembly kernels.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateContracts } from "./generate/contracts.mjs";
import { generateWasm } from "./generate/wasm.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

generateContracts(root, devDependencies);
generateWasm(root, devDependencies);
