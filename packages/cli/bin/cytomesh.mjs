#!/usr/bin/env node
// The `cytomesh` command from any folder: the launcher picks the Node and prepares the checkout this file lives in.
import { main } from "../../../scripts/launch.mjs";

await main(process.argv.slice(2));
