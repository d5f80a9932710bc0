import { createHash } from "node:crypto";
import { ApiError, throwViolations } from "../../errors.ts";
import type { FeatureSchemaRecord } from "../../schemas/catalog.ts";
import { createChecks } from "../../schemas/checks.ts";
import type { CatalogContext } from "./context.ts";

const MAX_FEATURES = 100_000;
const MAX_ID = 512;
// A list with one mistake in every line is one mistake.
const SHOWN_VIOLATIONS = 100;

/** Registers an ordered list of feature ids. Errors: see `CatalogService.CreateFeatureSchema`. */
export async function createFeatureSchema(
  context: CatalogContext,
  request: { readonly name: string; readonly featureIds: readonly string[] },
): Promise<FeatureSchemaRecord> {
  const { name, featureIds } = request;
  const checks = createChecks();
  checks.name("name", name);
  if (featureIds.length === 0) checks.add("feature_ids", "expected at least one id, found none");
  checks.distinct("feature_ids", featureIds, MAX_FEATURES, MAX_ID);
  // The checksum joins them by newlines.
  const broken = featureIds.findIndex((id) => id.includes("\n"));
  if (broken >= 0) checks.add(`feature_ids[${broken}]`, "expected an id without a newline");
  throwViolations("the feature schema", checks.violations.slice(0, SHOWN_VIOLATIONS));
  const sha256 = createHash("sha256").update(featureIds.join("\n")).digest("hex");
  const size = featureIds.length;
  const known = await context.store.createFeatureSchema({
    ...{ name, featureIds, sha256, size },
    createdAt: context.clock(),
  });
  if (known.sha256 !== sha256) {
    throw new ApiError(
      "already_exists",
      `feature schema ${name} has ${known.size} other ids (sha256 ${known.sha256}, here ${sha256}); choose another name`,
    );
  }
  return { ...known, featureIds: undefined };
}
