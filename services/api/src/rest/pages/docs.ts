import type { FastifyInstance } from "fastify";
import { describeApi } from "../openapi/document.ts";
import type { Endpoint } from "../openapi/operations.ts";
import type { RestRoom } from "../room.ts";
import { type Html, html } from "./html.ts";
import { page, sendPage } from "./page.ts";

/** `/openapi.json`, and the same for people at `/docs`. */
export function addDocs(app: FastifyInstance, { version }: RestRoom): void {
  const { document, endpoints } = describeApi(version);
  const text = JSON.stringify(document);
  const tags = [...new Set(endpoints.map(({ tag }) => tag))];
  const body = html`<h1>Cytomesh API</h1>
<p class="soft">Version ${version}. <a href="/">Overview</a> · <a href="/openapi.json">OpenAPI 3.1</a></p>
<p>Present a token as <code>Authorization: Bearer …</code> unless the mesh runs without tokens. For example:</p>
<p><code>curl -H "Authorization: Bearer $TOKEN" -F file=@cells.h5ad "http://127.0.0.1:7400/v1/annotate?strategy=ontology-aware"</code></p>
${tags.map((tag) =>
  section(
    tag,
    endpoints.filter((one) => one.tag === tag),
  ),
)}`;
  const docs = page({ title: "Cytomesh API", body });
  app.get("/openapi.json", { config: { open: true } }, (_request, reply) =>
    reply.type("application/json; charset=utf-8").send(text),
  );
  app.get("/docs", { config: { open: true } }, (_request, reply) => sendPage(reply, docs));
}

function section(tag: string, endpoints: readonly Endpoint[]): Html {
  return html`<h2>${tag}</h2>
<div class="scroll"><table><tbody>
${endpoints.map(
  (
    one,
  ) => html`<tr><td><code>${one.method.toUpperCase()} ${one.path}</code></td><td>${one.summary}${details(one)}</td></tr>
`,
)}</tbody></table></div>`;
}

function details(endpoint: Endpoint): Html {
  const parameters = (endpoint.parameters ?? []).map(
    (one) => html`<p class="soft"><code>${one.name}</code> ${one.description}</p>`,
  );
  return html`${endpoint.description === undefined ? "" : html`<p class="soft">${endpoint.description}</p>`}${parameters}`;
}
