/** A version as PEP 440 orders it. */
interface Version {
  readonly epoch: number;
  readonly release: readonly number[];
  /** [phase, number]: a = 0, b = 1, rc = 2. */
  readonly pre: readonly [number, number] | undefined;
  readonly post: number | undefined;
  readonly dev: number | undefined;
  readonly local: readonly (string | number)[];
}

// PEP 440, appendix B, with the names of the groups kept.
const pattern =
  /^v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?:[-_.]?(?<phase>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?<pre>\d+)?)?(?:-(?<implicit>\d+)|[-_.]?(?<postword>post|rev|r)[-_.]?(?<post>\d+)?)?(?:[-_.]?(?<devword>dev)[-_.]?(?<dev>\d+)?)?(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;

const phases: Readonly<Record<string, number>> = {
  a: 0,
  alpha: 0,
  b: 1,
  beta: 1,
  c: 2,
  rc: 2,
  pre: 2,
  preview: 2,
};

/** Longest text that is looked at. */
const maxLength = 100;

function parse(text: string): Version | undefined {
  const groups = text.length > maxLength ? undefined : pattern.exec(text.trim())?.groups;
  if (groups === undefined) return undefined;
  const { epoch, release = "0", phase, pre, implicit, postword, post, devword, dev, local } = groups;
  return {
    epoch: Number(epoch ?? 0),
    release: release.split(".").map(Number),
    pre: phase === undefined ? undefined : [phases[phase.toLowerCase()] ?? 0, Number(pre ?? 0)],
    post: implicit !== undefined ? Number(implicit) : postword === undefined ? undefined : Number(post ?? 0),
    dev: devword === undefined ? undefined : Number(dev ?? 0),
    local: (local?.toLowerCase().split(/[-_.]/) ?? []).map((part) =>
      /^\d+$/.test(part) ? Number(part) : part,
    ),
  };
}

/** 1.0.dev1 < 1.0a1 < 1.0 < 1.0.post1: a missing part sorts below or above all numbers, depending on the others. */
function sortKey(version: Version): number[] {
  const { pre, post, dev } = version;
  const bare = pre === undefined && post === undefined && dev !== undefined;
  const preKey = pre === undefined ? [bare ? -1 : 3, 0] : [...pre];
  return [...preKey, post ?? -1, dev ?? Number.POSITIVE_INFINITY];
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference < 0 || difference > 0) return Math.sign(difference);
  }
  return 0;
}

/** No local part sorts first, words below numbers, the longer one last. */
function compareLocal(a: Version["local"], b: Version["local"]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [one, other] = [a[i]!, b[i]!];
    if (one === other) continue;
    if (typeof one !== typeof other) return typeof one === "string" ? -1 : 1;
    return one < other ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}

/** -1, 0 or 1 as `a` comes before, with or after `b` in the order of PEP 440; undefined when one of them is no version. */
export function compareVersions(a: string, b: string): number | undefined {
  const one = parse(a);
  const other = parse(b);
  if (one === undefined || other === undefined) return undefined;
  return (
    compareNumbers([one.epoch], [other.epoch]) ||
    compareNumbers(one.release, other.release) ||
    compareNumbers(sortKey(one), sortKey(other)) ||
    compareLocal(one.local, other.local)
  );
}
