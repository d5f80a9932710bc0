import { type DestinationStream, type Logger as PinoLogger, pino } from "pino";
import { currentCall } from "./context.ts";

/** The logger of the mesh: pino, JSON lines on stderr. */
export type Logger = PinoLogger;

/** Log levels that a service accepts. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** A level the logger accepts. */
export type LogLevel = (typeof logLevels)[number];

/**
 * A logger for one service. Every line carries the request id of the call it belongs to; values of keys that look like secrets are
 * cut out.
 */
export function createLogger(
  service: string,
  level: LogLevel = "info",
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      base: { service },
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => {
        const call = currentCall();
        return call === undefined ? {} : { requestId: call.requestId };
      },
      redact: {
        paths: [
          "authorization",
          "*.authorization",
          "password",
          "*.password",
          "token",
          "*.token",
          "secret",
          "*.secret",
        ],
        censor: "[redacted]",
      },
      serializers: { err: describeError },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** Causes followed at most; a longer chain tells nothing more. */
const maxCauses = 4;

/**
 * An error as a log line keeps it: kind, message, tag or code, stack, and the chain of causes in short. Other fields stay out: wire errors carry
 * kilobytes of encoded metadata, and a field may hold what must not be logged.
 */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { tag, code } = error as { tag?: unknown; code?: unknown };
  const causes: string[] = [];
  for (let cause = error.cause; cause !== undefined && cause !== null && causes.length < maxCauses; ) {
    causes.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return {
    type: error.name,
    message: error.message,
    ...(tag === undefined ? {} : { tag }),
    ...(code === undefined ? {} : { code }),
    stack: error.stack,
    ...(causes.length > 0 ? { causes } : {}),
  };
}
