// npm leaves an optional package out of the lockfile when the registry it was written with does not carry it, which mirrors do with
// binaries for other platforms. `npm ci` then refuses the lockfile wherever the registry does carry it, and on some mirrors too.

const PLATFORM =
  /(?:^|[-/@])(android|darwin|linux|linuxmusl|win32|windows|freebsd|openbsd|netbsd|sunos|aix)-(\w+?)(?:-(musl|gnu|msvc|gnueabihf|musleabihf))?$/;
const CPU = { aarch64: "arm64", armv7: "arm", amd64: "x64" };

/** `os`, `cpu` and `libc` of a package from a name like `@scope/tool-linux-arm64-musl`; nothing when the name does not say. */
function platformOf(name) {
  const [, os, cpu, libc] = PLATFORM.exec(name) ?? [];
  if (os === undefined) return undefined;
  const musl = libc?.startsWith("musl") || os === "linuxmusl";
  return {
    cpu: [CPU[cpu] ?? cpu],
    ...(musl ? { libc: ["musl"] } : {}),
    os: [{ linuxmusl: "linux", windows: "win32" }[os] ?? os],
  };
}

/**
 * The entries a lockfile lacks: optional packages with an exact version and a platform in their name, that some locked package names.
 * Without their integrity, which only a registry that carries them can tell.
 * @returns {Record<string, object>} path in the lockfile → entry
 */
export function missingEntries({ packages }) {
  const missing = {};
  const locked = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/"))));
  for (const entry of Object.values(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const platform = platformOf(name);
      if (!platform || !/^\d+\.\d+\.\d+/.test(version) || locked.has(`node_modules/${name}`)) continue;
      missing[`node_modules/${name}`] = {
        version,
        ...(entry.dev ? { dev: true } : {}),
        optional: true,
        ...platform,
      };
    }
  }
  return missing;
}

/** The lockfile with what it lacks, in npm's order. */
export function completeLockfile(lockfile) {
  const packages = { ...lockfile.packages, ...missingEntries(lockfile) };
  const order = (a, b) => a.localeCompare(b, "en");
  return {
    ...lockfile,
    packages: Object.fromEntries(
      Object.keys(packages)
        .sort(order)
        .map((path) => [path, packages[path]]),
    ),
  };
}
