import { createServer, type Server } from "node:http";
import { createServer as createHttp2Server, createSecureServer, type Http2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { NodeHandler } from "@cytomesh/rpc";
import type { EdgeRequest, EdgeResponse } from "./types.ts";

/** A port that is open. */
export interface OpenPort {
  readonly address: string;
  /** Take no more connections, and no more requests on HTTP/2 connections. */
  drain(): void;
  /** Resolves when no request is under way. */
  idle(): Promise<void>;
  /** Drop what is left; resolves when the port is closed. */
  close(): Promise<void>;
}

/** Header bytes, streams and idle time that one HTTP/2 connection may take. */
const http2Options = {
  settings: { maxConcurrentStreams: 256, initialWindowSize: 1024 * 1024 },
  maxSessionMemory: 128,
  maxHeaderListPairs: 200,
};
const sessionIdleMs = 15 * 60_000;
const headersTimeoutMs = 30_000;

/** How a port is opened. */
export interface PortOptions {
  readonly host: string;
  readonly port: number;
  readonly requestTimeoutMs: number;
  readonly handle: NodeHandler;
}

/** HTTP/1.1. */
export function openHttp1(o: PortOptions): Promise<OpenPort> {
  const server = createServer({ requestTimeout: o.requestTimeoutMs, headersTimeout: headersTimeoutMs });
  return open(server, o);
}

/** HTTP/2 without TLS. */
export function openH2c(o: PortOptions): Promise<OpenPort> {
  return open(createHttp2Server(http2Options) as unknown as Server, o);
}

/** HTTP/2 and HTTP/1.1 over TLS, as the client prefers. */
export function openTls(o: PortOptions & { cert: string | Buffer; key: string | Buffer }): Promise<OpenPort> {
  const { cert, key } = o;
  const server = createSecureServer({ ...http2Options, cert, key, allowHTTP1: true, minVersion: "TLSv1.2" });
  return open(server as unknown as Server, o);
}

async function open(server: Server, o: PortOptions): Promise<OpenPort> {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  const underWay = new Set<EdgeResponse>();
  let draining = false;
  let whenIdle = () => {};
  const track = <T extends { once(event: "close", listener: () => void): unknown }>(set: Set<T>, one: T) => {
    set.add(one);
    one.once("close", () => set.delete(one));
  };
  server.on("connection", (socket: Socket) => track(sockets, socket));
  (server as NodeJS.EventEmitter).on("session", (session: Http2Session) => {
    track(sessions, session);
    session.setTimeout(sessionIdleMs, () => session.close());
    // A peer that breaks the protocol or the connection concerns nobody else.
    session.on("error", () => undefined);
  });
  server.on("request", (request: EdgeRequest, response: EdgeResponse) => {
    underWay.add(response);
    response.once("close", () => {
      underWay.delete(response);
      if (underWay.size === 0) whenIdle();
    });
    if (draining && request.httpVersionMajor === 1) response.setHeader("Connection", "close");
    o.handle(request as never, response as never);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(o.port, o.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  return {
    address: `${o.host.includes(":") && !o.host.startsWith("[") ? `[${o.host}]` : o.host}:${port}`,
    drain() {
      draining = true;
      server.close();
      for (const session of sessions) session.close();
    },
    idle: () =>
      new Promise((resolve) => {
        if (underWay.size === 0) resolve();
        else whenIdle = resolve;
      }),
    close() {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}
