import { create, toBinary } from "@bufbuild/protobuf";
import { type Curriculum, CurriculumState, type Index } from "@cytomesh/contracts/catalog/v1/resources";
import { ArtifactRegisteredSchema } from "@cytomesh/contracts/events/v1/events";
import { contentJson, contentOf, emptyArtifact } from "../../data-manager/artifacts.ts";
import type { ArtifactMessages, CatalogTransaction } from "../../data-manager/catalog-store.ts";
import { ApiError, notFound, throwViolations } from "../../errors.ts";
import type { ArtifactKind } from "../../schemas/catalog.ts";
import { createChecks } from "../../schemas/checks.ts";
import { differingFields } from "../../schemas/json.ts";
import { checkArtifact, checkParts } from "./artifact-checks.ts";
import { type CatalogContext, subjectToken } from "./context.ts";

/** Registers an artifact; repeat-safe for equal content. Errors: see `CatalogService.Register*`. */
export async function registerArtifact<K extends ArtifactKind>(
  context: CatalogContext,
  kind: K,
  request: ArtifactMessages[K] | undefined,
): Promise<ArtifactMessages[K]> {
  const message = prepared(kind, request ?? emptyArtifact(kind));
  return await context.store.transaction(async (tx) => {
    const checks = createChecks();
    await checkParts(checks, tx, kind, message);
    throwViolations(`the ${kind}`, checks.violations);
    // Before any row lock, so that registrations of indexes cannot block each other in a circle.
    if (kind === "index") await tx.lockDefaults();
    if (await tx.insertArtifact(kind, message, context.clock())) await announce(tx, kind, message);
    else await reconcileContent(tx, kind, message);
    if (kind === "index") await settleDefaults(tx, message as Index, (request as Index).isDefault);
    return (await tx.artifact(kind, message.name))!;
  });
}

function prepared<K extends ArtifactKind>(kind: K, request: ArtifactMessages[K]): ArtifactMessages[K] {
  const message = contentOf(kind, request);
  if (kind === "curriculum") {
    const curriculum = message as Curriculum;
    if (curriculum.state === CurriculumState.UNSPECIFIED) curriculum.state = CurriculumState.PREPARED;
  }
  const checks = createChecks();
  checkArtifact(checks, kind, message);
  throwViolations(`the ${kind}`, checks.violations);
  try {
    contentJson(kind, message);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throwViolations(`the ${kind}`, [{ field: kind, description: `cannot be written as JSON: ${reason}` }]);
  }
  return message;
}

/** The name is taken: fine when the content is the same, or a curriculum that has come further. */
async function reconcileContent<K extends ArtifactKind>(
  tx: CatalogTransaction,
  kind: K,
  message: ArtifactMessages[K],
): Promise<void> {
  const known = await tx.lockArtifact(kind, message.name);
  if (known === undefined) throw new ApiError("internal", `${kind} ${message.name} is there and is not`);
  // Which of two equal runs came first says nothing about the content.
  const ignored = new Set(["jobId"]);
  const forward = kind === "curriculum" && (message as Curriculum).state > (known as Curriculum).state;
  if (kind === "curriculum") ignored.add("state");
  // Writing the bins completes the manifest.
  if (forward) ignored.add("manifestSha256");
  const different = differingFields(contentJson(kind, known), contentJson(kind, message)).filter(
    (field) => !ignored.has(field),
  );
  if (different.length > 0) {
    throw new ApiError(
      "already_exists",
      `${kind} ${message.name} is registered with other content; it differs in ${different.join(", ")}: choose another name`,
    );
  }
  if (!forward) return;
  const { jobId } = known as Curriculum;
  await tx.replaceArtifact(kind, Object.assign(message, { jobId }));
}

async function announce<K extends ArtifactKind>(
  tx: CatalogTransaction,
  kind: K,
  message: ArtifactMessages[K],
): Promise<void> {
  if (kind !== "model" && kind !== "index") return;
  const sha256 = "sha256" in message ? message.sha256 : (message as Index).manifestSha256;
  const fact = create(ArtifactRegisteredSchema, { kind, name: message.name, sha256 });
  const subject = `events.${kind}.${subjectToken(message.name)}.registered`;
  await tx.addFact(subject, toBinary(ArtifactRegisteredSchema, fact));
}

/** Keeps exactly one default index per model that has any, and exactly one default model among those. */
async function settleDefaults(tx: CatalogTransaction, index: Index, wanted: boolean): Promise<void> {
  if (wanted || (await tx.defaultIndexOf(index.model)) === undefined)
    await tx.setDefaultIndex(index.model, index.name);
  if (wanted || (await tx.defaultModel()) === undefined) await tx.setDefaultModel(index.model);
}

/** Errors: see `CatalogService.SetDefaultModel`. */
export async function setDefaultModel(
  context: CatalogContext,
  name: string,
): Promise<ArtifactMessages["model"]> {
  return await context.store.transaction(async (tx) => {
    await tx.lockDefaults();
    if ((await tx.artifact("model", name)) === undefined) throw notFound("model", name);
    if ((await tx.defaultIndexOf(name)) === undefined) {
      throw new ApiError(
        "failed_precondition",
        `model ${name} has no index and cannot serve; build one with a build_index job first`,
      );
    }
    await tx.setDefaultModel(name);
    return (await tx.artifact("model", name))!;
  });
}
