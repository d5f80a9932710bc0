/** Older servers know neither multi-filter consumers nor consumer metadata, and lose acknowledged messages in more ways. */
export const NATS_FLOOR = "2.10.0";

/** "nats-server: v2.10.27", "2.12.0-beta.1" → whether it is at least `NATS_FLOOR`. */
export function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version)?.slice(1) ?? []).map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}
