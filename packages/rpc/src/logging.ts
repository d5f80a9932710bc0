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
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
