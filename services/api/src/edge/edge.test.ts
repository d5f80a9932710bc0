import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Code, type ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Health } from "@cytomesh/contracts/grpc/health/v1/health";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { openChannel } from "@cytomesh/rpc";
import { casForm, h5ad, startWorld, type World } from "../rest/testing/world.ts";
import { assertSafeBinding, isLoopback, parseTokens } from "./settings.ts";

const origin = "https://lab.example";
let open: World;
let closed: World;
before(async () => {
  open = await startWorld();
  closed = await startWorld({ tokens: ["first-token", "second-token"], edge: { corsOrigins: [origin] } });
});
after(async () => {
  await open.stop();
  await closed.stop();
});

type Interceptor = NonNullable<Parameters<typeof createConnectTransport>[0]["interceptors"]>[number];
const withToken = (token: string | undefined): Interceptor[] => [
  (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  },
];

/** Every protocol on every port that speaks it. */
function transports(world: World, token?: string): [string, Transport][] {
  const http = `http://${world.edge.httpAddress}`;
  const h2c = `http://${world.edge.edgeAddress}`;
  const interceptors = withToken(token);
  return [
    ["connect over HTTP/1.1", createConnectTransport({ baseUrl: http, httpVersion: "1.1", interceptors })],
    [
      "connect GET over HTTP/1.1",
      createConnectTransport({ baseUrl: http, httpVersion: "1.1", interceptors, useHttpGet: true }),
    ],
    ["gRPC-Web over HTTP/1.1", createGrpcWebTransport({ baseUrl: http, httpVersion: "1.1", interceptors })],
    ["connect over h2c", createConnectTransport({ baseUrl: h2c, httpVersion: "2", interceptors })],
    ["gRPC-Web over h2c", createGrpcWebTransport({ baseUrl: h2c, httpVersion: "2", interceptors })],
    ["gRPC over h2c", createGrpcTransport({ baseUrl: h2c, interceptors })],
  ];
}

async function watched(transport: Transport): Promise<number> {
  let count = 0;
  for await (const _ of createClient(JobService, transport).watchJob({ id: "0190-job" })) count++;
  return count;
}

test("gRPC, gRPC-Web and Connect are answered, unary and streaming", async () => {
  for (const [name, transport] of transports(open)) {
    assert.equal(
      (await createClient(JobService, transport).getJob({ id: "0190-job" })).job?.kind,
      "ingest",
      name,
    );
    assert.equal(await watched(transport), 2, name);
    await assert.rejects(
      createClient(JobService, transport).getJob({ id: "nope" }),
      { code: Code.NotFound },
      name,
    );
  }
  const channel = openChannel(open.edge.edgeAddress);
  assert.equal((await channel.client(JobService).getJob({ id: "0190-job" })).job?.kind, "ingest");
  channel.close();
});

test("without the right token every protocol says UNAUTHENTICATED, with it all of them answer", async () => {
  for (const token of [undefined, "wrong", "first-toke", "first-token,second-token"])
    for (const [name, transport] of transports(closed, token)) {
      const label = `${name} with ${token}`;
      const isRefusal = (error: ConnectError) => error.code === Code.Unauthenticated;
      await assert.rejects(createClient(JobService, transport).getJob({ id: "0190-job" }), isRefusal, label);
      await assert.rejects(watched(transport), isRefusal, label);
    }
  for (const [name, transport] of transports(closed, "second-token"))
    assert.equal(await watched(transport), 2, name);
});

test("health is answered without a token", async () => {
  for (const [name, transport] of transports(closed)) {
    const { status } = await createClient(Health, transport).check({});
    assert.equal(status, 1, name);
  }
});

test("REST asks for the token except for probes and documents", async () => {
  const status = async (path: string, authorization?: string) => {
    const response = await fetch(closed.url + path, {
      headers: authorization === undefined ? {} : { authorization },
    });
    await response.arrayBuffer();
    return [response.status, response.headers.get("www-authenticate")?.split(" ", 1)[0]];
  };
  for (const path of ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"])
    assert.deepEqual(await status(path), [200, undefined], path);
  for (const path of ["/v1/jobs", "/api/cellarium-general/validate-token", "/api/nothing", "/nothing"]) {
    assert.deepEqual(await status(path), [401, "Bearer"], path);
    assert.deepEqual(await status(path, "Bearer wrong"), [401, "Bearer"], path);
    assert.deepEqual(await status(path, "Basic eDpmaXJzdC10b2tlbg=="), [401, "Bearer"], `${path} with Basic`);
  }
  assert.deepEqual(await status("/v1/jobs", "Bearer first-token"), [200, undefined]);
  assert.deepEqual(await status("/v1/jobs", "bearer  second-token"), [200, undefined]);
  assert.deepEqual(await status("/"), [401, "Basic"]);
  assert.deepEqual(await status("/", `Basic ${btoa("anyone:first-token")}`), [200, undefined]);
  const refusal = await fetch(`${closed.url}/api/cellarium-general/quota`);
  assert.equal(typeof ((await refusal.json()) as { detail: unknown }).detail, "string");
  assert.match(refusal.headers.get("x-trace-id") ?? "", /^[0-9a-f]{32}$/);
});

test("pages of allowed origins may call RPC, pages of others may change nothing", async () => {
  const path = "/cytomesh.jobs.v1.JobService/GetJob";
  const preflight = (from: string) =>
    fetch(closed.url + path, {
      method: "OPTIONS",
      headers: { origin: from, "access-control-request-method": "POST" },
    });
  const allowed = await preflight(origin);
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get("access-control-allow-origin"), origin);
  assert.match(
    allowed.headers.get("access-control-allow-headers") ?? "",
    /Connect-Protocol-Version.*Authorization/,
  );
  const foreign = await preflight("https://evil.example");
  assert.equal(foreign.status, 403);
  assert.equal(foreign.headers.get("access-control-allow-origin"), null);
  const call = (from: string) =>
    fetch(closed.url + path, {
      method: "POST",
      body: '{"id":"0190-job"}',
      headers: { "content-type": "application/json", authorization: "Bearer first-token", origin: from },
    });
  const answered = await call(origin);
  assert.equal(answered.status, 200);
  assert.equal(answered.headers.get("access-control-allow-origin"), origin);
  assert.equal((await call("https://evil.example")).status, 403);
  assert.equal((await call(closed.url)).status, 200, "its own origin");
  const cancel = (from: string) =>
    fetch(`${open.url}/v1/jobs/0190-job/cancel`, { method: "POST", headers: { origin: from } });
  assert.equal((await cancel("https://evil.example")).status, 403);
  assert.equal((await cancel("null")).status, 403);
  assert.equal((await cancel(open.url)).status, 200);
});

test("a mesh without tokens answers to names of this machine only", async () => {
  const status = (world: World, host: string) =>
    new Promise((resolve, reject) => {
      httpRequest(
        `${world.url}/v1/datasets`,
        { headers: { host, authorization: "Bearer first-token" } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      )
        .on("error", reject)
        .end();
    });
  for (const host of ["localhost:7400", "127.0.0.1", "[::1]:1", "mesh.localhost"])
    assert.equal(await status(open, host), 200, host);
  for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7400"])
    assert.equal(await status(open, host), 403, host);
  assert.equal(await status(closed, "mesh.example"), 200, "with tokens any name will do");
});

test("listening where others can reach needs a token or the word that none is wanted", () => {
  const check = (host: string, tokens: string[], allowAnonymous: boolean) =>
    assertSafeBinding({ host, tokens, allowAnonymous });
  for (const host of ["127.0.0.1", "localhost", "::1", "127.1.2.3"]) {
    assert.ok(isLoopback(host));
    check(host, [], false);
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil.example"]) {
    assert.throws(() => check(host, [], false), { tag: "unsafe-settings" });
    check(host, ["token"], false);
    check(host, [], true);
  }
  assert.deepEqual(parseTokens(" a, b ,,"), ["a", "b"]);
  assert.deepEqual(parseTokens(undefined), []);
});

test("one TLS port serves everything over HTTP/2 and HTTP/1.1", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  try {
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
    execFileSync("openssl", ["req", "-x509", ...key, "-out", certFile, "-days", "2", ...subject], {
      stdio: "pipe",
    });
  } catch (error) {
    return t.skip(`openssl cannot make a certificate: ${(error as Error).message}`);
  }
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
  const world = await startWorld({ tokens: ["token"], edge: { tls: { port: 0, cert, key } } });
  try {
    const baseUrl = `https://${world.edge.tlsAddress}`;
    const interceptors = withToken("token");
    const nodeOptions = { ca: cert };
    const over: [string, Transport][] = [
      ["gRPC", createGrpcTransport({ baseUrl, interceptors, nodeOptions })],
      ["gRPC-Web", createGrpcWebTransport({ baseUrl, httpVersion: "2", interceptors, nodeOptions })],
      ["Connect", createConnectTransport({ baseUrl, httpVersion: "2", interceptors, nodeOptions })],
      [
        "Connect over HTTP/1.1",
        createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors, nodeOptions }),
      ],
    ];
    for (const [name, transport] of over) assert.equal(await watched(transport), 2, name);
    const http1 = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: "Bearer token" };
      httpsRequest(`${baseUrl}/v1/datasets`, { ca: cert, headers }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on("error", reject)
        .end();
    });
    assert.equal(http1, 200);
    const session = connectHttp2(baseUrl, { ca: cert });
    const ask = (path: string, extra: Record<string, string> = {}) =>
      new Promise<[number | undefined, string]>((resolve, reject) => {
        const stream = session.request({ ":path": path, ...extra });
        let status: number | undefined;
        let text = "";
        stream.on("response", (headers) => {
          status = headers[":status"];
        });
        stream.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        stream.on("end", () => resolve([status, text])).on("error", reject);
      });
    assert.deepEqual(await ask("/livez"), [200, "ok\n"]);
    assert.equal((await ask("/v1/datasets"))[0], 401);
    const [status, text] = await ask("/v1/datasets", { authorization: "Bearer token" });
    assert.equal(status, 200);
    assert.match(text, /blood-data/);
    const [, events] = await ask("/v1/jobs/0190-job/watch", { authorization: "Bearer token" });
    assert.match(events, /event: end/);
    const form = new Response(casForm(await h5ad(), {}));
    const body = Buffer.from(await form.arrayBuffer());
    const upload = session.request({
      ":method": "POST",
      ":path": "/v1/annotate",
      authorization: "Bearer token",
      "content-type": form.headers.get("content-type") ?? "",
    });
    upload.end(body);
    let answer = "";
    for await (const chunk of upload.setEncoding("utf8")) answer += chunk;
    assert.equal((JSON.parse(answer) as { cells: unknown[] }).cells.length, 3, "an upload over HTTP/2");
    session.close();
  } finally {
    await world.stop();
  }
});

test("calls under way finish while the edge stops, and new ones are refused", async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let waiting = 0;
  const world = await startWorld({
    jobs: {
      getJob: async ({ id }) => {
        waiting++;
        await gate;
        return { job: { id } };
      },
    },
  });
  const calls = transports(world).map(([, transport]) =>
    createClient(JobService, transport).getJob({ id: "a" }),
  );
  calls.push(
    (await fetch(`${world.url}/livez`)) &&
      (fetch(`${world.url}/v1/jobs/a`)
        .then((r) => r.json())
        .then((job) => ({ job })) as never),
  );
  while (waiting < calls.length) await new Promise((resolve) => setTimeout(resolve, 10));
  const stopping = world.edge.stop(5_000);
  await assert.rejects(fetch(`${world.url}/livez`));
  release();
  for (const answer of await Promise.all(calls)) assert.equal(answer.job?.id, "a");
  await stopping;
  await world.stop();
});

test("calls that do not end within the grace are dropped", async () => {
  const world = await startWorld({
    jobs: {
      async *watchJob({ id }, context) {
        yield { job: { id } };
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
      },
    },
  });
  const watches = transports(world).map(([, transport]) => watched(transport));
  const settled = Promise.allSettled(watches);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await world.edge.stop(100);
  assert.ok((await settled).every(({ status }) => status === "rejected"));
  await world.stop();
});

test("a port that is taken leaves no other port open", async () => {
  const taken = Number(open.edge.edgeAddress.split(":")[1]);
  await assert.rejects(startWorld({ edge: { edgePort: taken } }), { code: "EADDRINUSE" });
});
