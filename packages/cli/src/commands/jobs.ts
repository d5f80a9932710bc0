import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ItemState, type Job, JobItemSchema, JobSchema, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { withMesh } from "../client.ts";
import { defineCommand, integerOption, meshOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { formatCount, printable, table } from "../terminal/text.ts";
import { stateName, watchJob } from "../watch-job.ts";

/** `cytomesh job`: look at jobs, follow them, cancel them. */
export const job = defineCommand({
  name: "job",
  summary: "Look at jobs, follow them to their end, cancel them.",
  usage: "job list | get ID | items ID | watch ID | cancel ID",
  positionals: 2,
  options: {
    ...meshOptions,
    state: { type: "string", multiple: true, value: "STATE", help: "list, items: only this state" },
    limit: { type: "string", value: "N", help: "list, items: at most so many", default: "20" },
  },
  async run({ options, positionals, signal }) {
    const [verb, id] = positionals;
    const limit = integerOption("limit", options.limit, { min: 1, max: 500 }) ?? 20;
    await withMesh(options.api, async (mesh) => {
      if (verb === "list") {
        const states = options.state.map((name) => stateOf(JobState, name));
        const { jobs } = await mesh.jobs.listJobs({ pageSize: limit, states });
        print(
          options.json,
          () => jobs.map((one) => toJson(JobSchema, one)),
          () => listing(jobs),
        );
        return;
      }
      if (id === undefined)
        throw new CliError("usage", `job ${verb ?? ""} needs a job id; cytomesh job list shows them`);
      switch (verb) {
        case "get": {
          const found = (await mesh.jobs.getJob({ id })).job as Job;
          print(
            options.json,
            () => toJson(JobSchema, found),
            () => JSON.stringify(toJson(JobSchema, found), undefined, 2),
          );
          return;
        }
        case "items": {
          const states = options.state.map((name) => stateOf(ItemState, name));
          const { items } = await mesh.jobs.listJobItems({ jobId: id, pageSize: limit, states });
          print(
            options.json,
            () => items.map((item) => toJson(JobItemSchema, item)),
            () =>
              table(
                ["item", "state", "reason"],
                items.map((item) => [
                  printable(item.key),
                  nameOf(ItemState, item.state),
                  printable(item.error?.message ?? ""),
                ]),
              ),
          );
          return;
        }
        case "watch": {
          const ended = await watchJob(mesh, id, `job ${id.slice(-8)}`, signal);
          if (options.json) process.stdout.write(`${JSON.stringify(toJson(JobSchema, ended))}\n`);
          return;
        }
        case "cancel": {
          const now = (await mesh.jobs.cancelJob({ id })).job as Job;
          process.stdout.write(
            `${id}: ${now.cancelRequested && !now.finishedAt ? "cancel requested" : stateName(now)}\n`,
          );
          return;
        }
        default:
          throw new CliError(
            "usage",
            `unknown "job ${verb ?? ""}"; there are list, get, items, watch, cancel`,
          );
      }
    });
  },
});

function print(json: boolean, asJson: () => unknown, asText: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(asJson()) : asText()}\n`);
}

function listing(jobs: readonly Job[]): string {
  return table(
    ["job", "kind", "state", "done", "of", "created", "about"],
    jobs.map((one) => [
      one.id,
      one.kind,
      stateName(one),
      formatCount(one.progress?.done ?? 0n),
      formatCount(one.progress?.total ?? 0n),
      one.createdAt === undefined
        ? ""
        : timestampDate(one.createdAt).toISOString().slice(0, 19).replace("T", " "),
      printable(one.error?.message ?? one.progress?.message ?? "").slice(0, 60),
    ]),
  );
}

function stateOf<T extends Record<string, number>>(states: T, name: string): T[keyof T] {
  const found = states[name.toUpperCase()];
  if (found === undefined || found === 0)
    throw new CliError(
      "usage",
      `--state knows ${Object.keys(states)
        .filter((one) => one !== "UNSPECIFIED")
        .map((one) => one.toLowerCase())
        .join(", ")}; found "${name}"`,
    );
  return found as T[keyof T];
}

function nameOf(states: Record<string, number>, value: number): string {
  return (Object.entries(states).find(([, one]) => one === value)?.[0] ?? "unknown").toLowerCase();
}
