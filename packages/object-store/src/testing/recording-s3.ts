import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface RecordedRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  size: number;
}

/** `drop` cuts the connection instead of answering; `hang` never answers. */
export type S3Answer = { status: number; headers?: Record<string, string>; body?: string } | "drop" | "hang";

/** A loopback server that says what the test tells it to and keeps what it was asked. */
export async function startRecordingS3(answer: (request: RecordedRequest) => S3Answer): Promise<{
  port: number;
  requests: RecordedRequest[];
  stop(): Promise<void>;
}> {
  const requests: RecordedRequest[] = [];
  const server = createServer((request, response) => {
    let size = 0;
    request.on("error", () => {}); // the client went away
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
    });
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://recording");
      const recorded = {
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        size,
      };
      requests.push(recorded);
      const result = answer(recorded);
      if (result === "hang") return;
      if (result === "drop") {
        request.socket.destroy();
        return;
      }
      response.writeHead(result.status, { "content-type": "application/xml", ...result.headers });
      response.end(result.body ?? "");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port, requests, stop };
}

export function s3Error(status: number, code: string): S3Answer {
  return {
    status,
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  };
}
