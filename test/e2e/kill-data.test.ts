import { test } from "node:test";
import { skip, survivesKill } from "./process-world.ts";

test("kill -9 of ingest in the middle of ingest loses and doubles nothing", { skip }, () =>
  survivesKill("ingest", "ingest"),
);

test("kill -9 of extract in the middle of extract loses and doubles nothing", { skip }, () =>
  survivesKill("extract", "extract"),
);
