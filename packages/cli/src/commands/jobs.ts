import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  ItemState,
  type Job,
  type JobItem,
  JobItemSchema,
  JobSchema,
  JobState,
} from "@cytomesh/contracts/jobs/v1/job";
import { withMesh } from "../client.ts";
import { defineCommand, integerOption, meshOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { everyPage } from "../every-page.ts";
import { formatCount, nameOf, printable, table } from "../terminal/text.ts";
import { stateName, watchJob } from "../watch-job.ts";

const listOptions = {
  ...meshOptions,
  state: { type: "string", multiple: true, value: "STATE", help: "only this state" },
} as const;
const anyNumber = { min: 1, max: 1_000_000 };

/** `cytomesh job list` */
export const list = defineCommand({
  name: "job list",
  usage: "job list [--state STATE]… [--limit N]",
  positionals: 0,
  options: {
    ...listOptions,
    limit: { type: "string", value: "N", help: "at most so many", default: "20" },
  },
  async run({ options }) {
    const limit = integerOption("limit", options.limit, anyNumber) as number;
    const states = options.state.map((name) => stateOf(JobState, name));
    await withMesh(options.api, async (mesh) => {
      const jobs = await everyPage(limit, 500, async (pageSize, pageToken) => {
        const page = await mesh.jobs.listJobs({ pageSize, pageToken, states });
        return { rows: page.jobs, next: page.nextPageToken };
      });
      print(options.json ? JSON.stringify(jobs.map((one) => toJson(JobSchema, one))) : listing(jobs));
    });
  },
});

/** `cytomesh job get` */
export const get = defineCommand({
  name: "job get",
  usage: "job get ID",
  positionals: 1,
  options: meshOptions,
  async run({ options, positionals }) {
    const id = idOf(positionals);
    await withMesh(options.api, async (mesh) => {
      const found = toJson(JobSchema, (await mesh.jobs.getJob({ id })).job as Job);
      print(options.json ? JSON.stringify(found) : JSON.stringify(found, undefined, 2));
    });
  },
});

/** `cytomesh job items` */
export const items = defineCommand({
  name: "job items",
  usage: "job items ID [--state STATE]… [--limit N]",
  positionals: 1,
  options: {
    ...listOptions,
    limit: { type: "string", value: "N", help: "at most so many; default: all" },
  },
  async run({ options, positionals }) {
    const jobId = idOf(positionals);
    const limit = integerOption("limit", options.limit, anyNumber) ?? Number.POSITIVE_INFINITY;
    const states = options.state.map((name) => stateOf(ItemState, name));
    await withMesh(options.api, async (mesh) => {
      const found = await everyPage(limit, 1_000, async (pageSize, pageToken) => {
        const page = await mesh.jobs.listJobItems({ jobId, pageSize, pageToken, states });
        return { rows: page.items, next: page.nextPageToken };
      });
      print(
        options.json ? JSON.stringify(found.map((item) => toJson(JobItemSchema, item))) : itemTable(found),
      );
    });
  },
});

/** `cytomesh job watch` */
export const watch = defineCommand({
  name: "job watch",
  usage: "job watch ID",
  positionals: 1,
  options: meshOptions,
  async run({ options, positionals, signal }) {
    const id = idOf(positionals);
    await withMesh(options.api, (mesh) =>
      watchJob(mesh, id, `job ${id.slice(-8)}`, signal, async (ended) => {
        if (options.json) print(JSON.stringify(toJson(JobSchema, ended)));
      }),
    );
  },
});

/** `cytomesh job cancel` */
export const cancel = defineCommand({
  name: "job cancel",
  usage: "job cancel ID",
  positionals: 1,
  options: meshOptions,
  async run({ options, positionals }) {
    const id = idOf(positionals);
    await withMesh(options.api, async (mesh) => {
      const now = (await mesh.jobs.cancelJob({ id })).job as Job;
      print(
        options.json
          ? JSON.stringify(toJson(JobSchema, now))
          : `${id}: ${now.cancelRequested && !now.finishedAt ? "cancel requested" : stateName(now)}`,
      );
    });
  },
});

function idOf([id]: readonly string[]): string {
  if (id === undefined) throw new CliError("usage", "a job's id is missing; cytomesh job list shows them");
  return id;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
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

function itemTable(found: readonly JobItem[]): string {
  return table(
    ["item", "state", "reason"],
    found.map((item) => [
      printable(item.key),
      nameOf(ItemState, item.state),
      printable(item.error?.message ?? ""),
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
