import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceStatus } from "@cytomesh/contracts/api/v1/mesh_service";
import { type Job, JobState } from "@cytomesh/contracts/jobs/v1/job";
import type { FastifyInstance } from "fastify";
import { failureOf } from "../failures.ts";
import { inCall } from "../request-context.ts";
import type { RestRoom } from "../room.ts";
import { type Html, html } from "./html.ts";
import { page, sendPage } from "./page.ts";

const refreshSeconds = 5;
const shown = 20;

/** The page at `/`: what the mesh is, does and holds. */
export function addOverview(app: FastifyInstance, room: RestRoom): void {
  const { mesh, jobs, catalog } = room.clients;
  app.get("/", { config: { basic: true } }, (request, reply) =>
    inCall(request, async () => {
      // Every part stands for itself: one that cannot be had says so and leaves the others alone.
      const parts = await Promise.all([
        part(mesh.getMeshStatus({}), (status) => meshPart(status)),
        part(jobs.listJobs({ pageSize: shown }), (list) => table("Jobs", jobColumns, list.jobs.map(jobRow))),
        part(catalog.listDatasets({ pageSize: shown }), ({ datasets }) =>
          table(
            "Datasets",
            ["Name", "#Cells", "#Files", "Description"],
            datasets.map((one) => [one.name, count(one.cells), count(one.ingests), one.description]),
          ),
        ),
        part(catalog.listModels({ pageSize: shown }), ({ models }) =>
          table(
            "Models",
            ["Name", "Kind", "#Dimension", "Genes", "Trained on", "Default"],
            models.map((one) => [
              one.name,
              one.kind,
              one.dimension,
              one.featureSchema,
              one.curriculum,
              tick(one.isDefault),
            ]),
          ),
        ),
        part(catalog.listIndexes({ pageSize: shown }), ({ indexes }) =>
          table(
            "Indexes",
            ["Name", "Model", "Kind", "#Cells", "Ontology", "Default"],
            indexes.map((one) => [
              one.name,
              one.model,
              one.kind,
              count(one.cells),
              one.ontology,
              tick(one.isDefault),
            ]),
          ),
        ),
      ]);
      const body = html`<h1>Cytomesh</h1>
<p class="soft">Version ${room.version}. This page renews itself every ${refreshSeconds} seconds. <a href="/docs">API</a> · <a href="/openapi.json">OpenAPI</a></p>
${parts}`;
      return sendPage(reply, page({ title: "Cytomesh", refreshSeconds, body }));
    }),
  );
}

async function part<T>(answer: Promise<T>, show: (value: T) => Html): Promise<Html> {
  try {
    return show(await answer);
  } catch (reason) {
    return html`<p class="bad">Not available: ${failureOf(reason).detail}</p>`;
  }
}

type Cell = Html | string | number;

/** Columns whose name begins with # hold numbers. */
function table(title: string, columns: readonly string[], rows: readonly (readonly Cell[])[]): Html {
  if (rows.length === 0) return html`<h2>${title}</h2><p class="soft">None yet.</p>`;
  const kind = columns.map((name) => (name.startsWith("#") ? "n" : "t"));
  const head = columns.map((name, i) => html`<th class="${kind[i]}">${name.replace("#", "")}</th>`);
  const body = rows.map(
    (row) => html`<tr>${row.map((cell, i) => html`<td class="${kind[i]}">${cell}</td>`)}</tr>\n`,
  );
  return html`<h2>${title}</h2>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>
${body}</tbody></table></div>`;
}

const numbers = new Intl.NumberFormat("en");
const count = (value: bigint | number): string => numbers.format(value);
const tick = (yes: boolean): string => (yes ? "yes" : "");

function meshPart(status: { eventBus: string; services: readonly ServiceStatus[] }): Html {
  const services = status.services.map(
    (one) =>
      html`<li><span class="${one.serving ? "ok" : "bad"}">●</span> ${one.name} <span class="soft">${
        one.serving ? one.address : one.reason || "not serving"
      }</span></li>`,
  );
  return html`<h2>Mesh</h2>
<ul class="mesh">${services}</ul>
<p class="soft">Event bus: ${status.eventBus}</p>`;
}

const jobColumns = ["Job", "Kind", "State", "Progress", "What", "#Attempt", "Created"];

const stateNames = new Map<number, string>(
  Object.entries(JobState).map(([name, value]) => [value, name.toLowerCase()]),
);
const stateClass: Readonly<Record<string, string>> = {
  succeeded: "ok",
  failed: "bad",
  running: "go",
  retrying: "go",
};

function jobRow(job: Job): Cell[] {
  const state = stateNames.get(job.state) ?? "unknown";
  const { done = 0n, total = 0n, unit = "", message = "" } = job.progress ?? {};
  const bar = total > 0n ? html`<progress max="${Number(total)}" value="${Number(done)}"></progress> ` : "";
  const amount =
    total > 0n ? `${count(done)} of ${count(total)} ${unit}` : done > 0n ? `${count(done)} ${unit}` : "";
  return [
    html`<code>${job.id}</code>`,
    job.kind,
    html`<span class="${stateClass[state] ?? ""}">${state}</span>`,
    html`${bar}${amount}`,
    job.error?.message || message,
    `${job.attempt}/${job.maxAttempts}`,
    timeOf(job.createdAt),
  ];
}

function timeOf(at: Timestamp | undefined): string {
  return at === undefined ? "" : timestampDate(at).toISOString().slice(0, 19).replace("T", " ");
}
