import { AnnDataError } from "./errors.ts";
import type { Source } from "./storage.ts";

/** Names the formats that look like AnnData to people and are not. */
export function refuseOthers(source: Source): void {
  const missing = ["obs", "var"].filter((name) => source.kind(`/${name}`) === undefined);
  const has = (path: string) => source.kind(path) !== undefined;
  if (has("/mod") && !has("/X")) {
    throw new AnnDataError(
      "not-anndata",
      `${source.path}: this is MuData; open one modality with the option group: ${source
        .children("/mod")
        .slice(0, 10)
        .map((name) => JSON.stringify(`/mod/${name}`))
        .join(", ")}`,
    );
  }
  if (missing.length === 0) return;
  const found = source.children("/").slice(0, 10).join(", ") || "nothing";
  throw new AnnDataError(
    "not-anndata",
    `${source.path}: not an AnnData file: ${missing.map((name) => `/${name}`).join(" and ")} missing; the file holds ${found}`,
  );
}
