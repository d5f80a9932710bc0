import type { ReadLimits } from "./types.ts";

const MiB = 1024 * 1024;

const defaults: ReadLimits = {
  maxPlaneBytes: 2048 * MiB,
  maxSegmentBytes: 1024 * MiB,
  maxPages: 1_000_000,
  maxTags: 4_096,
  maxTagBytes: 64 * MiB,
  maxXmlBytes: 64 * MiB,
  maxXmlDepth: 64,
  maxSamples: 1_024,
  maxFileBytes: 1024 * MiB,
  cacheBytes: 64 * MiB,
};

export function withDefaults(limits: Partial<ReadLimits> | undefined): ReadLimits {
  return { ...defaults, ...limits };
}
