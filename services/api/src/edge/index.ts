export { type Authenticator, type Principal, tokenAuthenticator } from "./authenticator.ts";
export { EdgeError, type EdgeErrorTag } from "./errors.ts";
export { type Edge, type EdgeOptions, startEdge } from "./listeners.ts";
export { assertSafeBinding, edgeSettings, isLoopback, parseTokens } from "./settings.ts";
