import { randomBytes } from "node:crypto";
import { isTaggedError, toConnectError } from "@cytomesh/rpc";
import type { EdgeRequest, EdgeResponse } from "./types.ts";

const connectNames: Readonly<Record<string, string>> = { cancelled: "canceled" };

/**
 * Refuse an RPC before it is read, in the words of its protocol: gRPC and gRPC-Web want the status in trailers (here: trailers only),
 * Connect an HTTP status with a JSON error.
 */
export function refuseRpc(request: EdgeRequest, response: EdgeResponse, reason: unknown): void {
  const error = toConnectError(reason);
  const type = String(request.headers["content-type"] ?? "");
  if (type.startsWith("application/grpc")) {
    response.statusCode = 200;
    response.setHeader("Content-Type", type);
    response.setHeader("grpc-status", String(error.code));
    response.setHeader("grpc-message", encodeURIComponent(error.rawMessage));
    response.end();
    return;
  }
  const tagged = isTaggedError(reason) ? reason : undefined;
  const code = tagged?.grpcCode ?? "internal";
  response.statusCode = tagged?.httpStatus ?? 500;
  if (response.statusCode === 401) response.setHeader("WWW-Authenticate", "Bearer");
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ code: connectNames[code] ?? code, message: error.rawMessage }));
}

/** Refuse a request that is no RPC. */
export function refuseHttp(response: EdgeResponse, reason: unknown): void {
  const tagged = isTaggedError(reason) ? reason : undefined;
  response.statusCode = tagged?.httpStatus ?? 500;
  response.setHeader("Content-Type", "application/problem+json");
  response.setHeader("x-trace-id", randomBytes(16).toString("hex"));
  // `detail` is also what CAS clients read.
  const detail = tagged?.message ?? "internal error; the log has the details";
  response.end(JSON.stringify({ status: response.statusCode, tag: tagged?.tag ?? "internal", detail }));
}
