import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "./logging.ts";
import type { Metrics } from "./metrics.ts";

/** What the probes ask. */
export interface ProbeTargets {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Undefined when ready; otherwise why not. Asked at every `/readyz`, so keep it cheap. */
  readonly notReady: () => Promise<string | undefined>;
}

/** Answer `/livez`, `/readyz` and `/metrics`; true when the path was one of them. */
export async function answerProbe(
  path: string,
  targets: ProbeTargets,
): Promise<{ status: number; type: string; body: string } | undefined> {
  switch (path) {
    case "/livez":
      return { status: 200, type: "text/plain; charset=utf-8", body: "ok\n" };
    case "/readyz": {
      const reason = await targets.notReady().catch((error) => String((error as Error).message ?? error));
      return {
        status: reason === undefined ? 200 : 503,
        type: "text/plain; charset=utf-8",
        body: reason === undefined ? "ok\n" : `not ready: ${reason}\n`,
      };
    }
    case "/metrics":
      return {
        status: 200,
        type: targets.metrics.registry.contentType,
        body: await targets.metrics.registry.metrics(),
      };
    default:
      return undefined;
  }
}

/** The health port of a service that has no other HTTP port. */
export async function startProbeServer(
  options: ProbeTargets & { host: string; port: number },
): Promise<{ address: string; stop(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    answerProbe(path, options).then(
      (answer) => {
        response.writeHead(answer?.status ?? 404, { "content-type": answer?.type ?? "text/plain" });
        response.end(answer?.body ?? "not found\n");
      },
      (error) => {
        options.logger.error({ err: error }, "probe failed");
        response.writeHead(500).end();
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `${options.host}:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
