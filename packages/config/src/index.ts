export { env } from "./env.ts";
export { ConfigError, type ConfigErrorTag, type ConfigProblem } from "./errors.ts";
export { isMain } from "./is-main.ts";
export { describeConfig, type LoadConfigOptions, loadConfig } from "./load-config.ts";
export { looksSecret, redactUrls } from "./redact.ts";
export { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from "./units.ts";
