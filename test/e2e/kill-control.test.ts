import { test } from "node:test";
import { skip, survivesKill } from "./process-world.ts";

test("kill -9 of training in the middle of train_pca loses and doubles nothing", { skip }, () =>
  survivesKill("training", "train_pca"),
);

test("kill -9 of api in the middle of ingest loses and doubles nothing", { skip }, () =>
  survivesKill("api", "ingest"),
);
