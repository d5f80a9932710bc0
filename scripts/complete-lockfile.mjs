// Adds to package-lock.json the packages for other platforms that npm left out because the registry in use does not carry them.
// Run it after every `npm install`: node scripts/complete-lockfile.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { completeLockfile, missingEntries } from "./lockfile/complete.mjs";

const path = join(dirname(dirname(fileURLToPath(import.meta.url))), "package-lock.json");
const lockfile = JSON.parse(readFileSync(path, "utf8"));
const added = Object.keys(missingEntries(lockfile));
if (added.length > 0) writeFileSync(path, `${JSON.stringify(completeLockfile(lockfile), null, 2)}\n`);
for (const name of added) console.log(`added ${name}`);
