import {
  AnnDataError,
  profileOf,
  runIsolated,
  sentenceOf,
  type ValidationProblem,
  type ValidationProfile,
  withGeneLists,
} from "@cytomesh/anndata";
import type { ObjectStore } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import { readGeneLists } from "../data-manager/source-files.ts";
import { IngestError } from "../errors.ts";
import type { ConvertOptions, FilePlan } from "../schemas/plan.ts";

/** What a file is held against besides what an ingest needs. */
export interface Vetting {
  readonly profile: ValidationProfile;
  /** Did the request name a profile or gene lists? */
  readonly asked: boolean;
  /** Look at every value. Not needed where the conversion that follows does. */
  readonly everyValue: boolean;
}

/** What was found. */
export interface VettedFile {
  readonly plan: FilePlan;
  readonly findings: readonly ValidationProblem[];
  /** Sentences of the findings that keep nothing out. */
  readonly warnings: readonly string[];
  /** Everything that keeps the file out; empty when nothing does. */
  readonly problems: readonly string[];
}

/** Values looked at in each matrix before a conversion, which looks at all of them: enough to refuse normalised data at once. */
const sampledEntries = 1_000_000;

/**
 * The vetting that a spec asks for.
 *
 * @throws IngestError `bad-profile` there is none of that name, `bad-gene-list`
 */
export async function vettingOf(
  store: ObjectStore,
  spec: { profile: string; geneListUris: readonly string[]; validateOnly: boolean },
  signal: AbortSignal,
): Promise<Vetting> {
  const { profile } = spec;
  try {
    const named = profileOf(profile === "" ? "minimal" : profile);
    const lists = await readGeneLists(store, spec.geneListUris, signal);
    return {
      profile: withGeneLists(named, lists),
      asked: profile !== "" || lists.length > 0,
      everyValue: spec.validateOnly,
    };
  } catch (error) {
    if (error instanceof AnnDataError) throw new IngestError("bad-profile", error.message, { cause: error });
    throw error;
  }
}

/** Vet a file: first in an isolated thread that a hostile file can only kill with itself, then as this ingest would take it. */
export async function vetFile(
  deps: { pool: TaskPool; readerTimeoutMs: number },
  path: string,
  o: { options: ConvertOptions; vetting: Vetting; signal: AbortSignal },
): Promise<VettedFile> {
  const { options, signal } = o;
  const { profile, everyValue } = o.vetting;
  const report = await runIsolated(path, "validate", {
    timeoutMs: deps.readerTimeoutMs,
    signal,
    profile,
    ...(everyValue ? {} : { entries: sampledEntries }),
  });
  const planned = deps.pool.run<FilePlan>("plan", { path, options }, { signal });
  // A conversion will want the other threads too. Not before the isolated one has given its memory back.
  for (let i = 1; i < deps.pool.threads; i++) deps.pool.run("start", undefined).catch(() => undefined);
  const plan = await planned;
  // Which matrix an ingest needs is for its options to say.
  const findings = report.problems.filter(({ code }) => code !== "missing_x" || profile.counts !== undefined);
  const sentences = (severity: ValidationProblem["severity"]) =>
    findings.filter((finding) => finding.severity === severity).map(sentenceOf);
  return {
    plan,
    findings,
    warnings: sentences("warning"),
    problems: [...new Set([...sentences("error"), ...plan.problems])],
  };
}

/** The plan of a file that nothing keeps out. Throws IngestError `invalid-file` with everything wrong in `problems`. */
export function acceptedPlan(vetted: VettedFile): FilePlan {
  const { problems } = vetted;
  if (problems.length > 0) throw new IngestError("invalid-file", problems.join("; "), { problems });
  return vetted.plan;
}
