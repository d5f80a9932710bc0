import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { ApiError } from "../../errors.ts";
import type { Logger } from "../../schemas/runtime.ts";
import { type Account, firstClosedDirectory } from "./account.ts";
import { sharedStateDir } from "./binaries.ts";

const run = promisify(execFile);

/** The superuser of an embedded cluster and the name of its database. */
export const clusterUser = "cytomesh";

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * The folder of the cluster: `<dataDir>/postgres`. As root it must be reachable by the account: a data directory that is
 * private to root lets the account's group pass; when a directory above it is closed, the cluster lives under
 * /var/lib/cytomesh instead and `<dataDir>/postgres.location` says where.
 */
export async function clusterFolder(
  dataDir: string,
  account: Account | undefined,
  logger: Logger,
): Promise<string> {
  const usual = join(resolve(dataDir), "postgres");
  const pointer = join(resolve(dataDir), "postgres.location");
  const moved = (await readIfThere(pointer))?.trim();
  if (moved) return moved;
  if (account === undefined) return usual;
  const own = await stat(dataDir);
  const reachable = async () => (await firstClosedDirectory(dataDir, account)) === undefined;
  if (await reachable()) return usual;
  if (own.uid === 0 && (own.mode & 0o077) === 0) {
    await chown(dataDir, 0, account.gid);
    await chmod(dataDir, (own.mode & 0o777) | 0o010);
    if (await reachable()) return usual;
    await chown(dataDir, own.uid, own.gid);
    await chmod(dataDir, own.mode & 0o777);
  }
  const closed = await firstClosedDirectory(dataDir, account);
  const elsewhere = join(sharedStateDir, `cluster-${randomBytes(8).toString("hex")}`, "postgres");
  try {
    await mkdir(resolve(elsewhere, ".."), { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new ApiError(
      "database_setup",
      `Postgres runs as ${account.name}, which may not enter ${closed}, and ${sharedStateDir} cannot be created; ` +
        `choose a data directory that ${account.name} can enter, run as another user than root, or set DATABASE_URL`,
      { cause },
    );
  }
  await writeFile(pointer, `${elsewhere}\n`);
  logger.warn(
    { dataDir, closed, cluster: elsewhere },
    `Postgres runs as ${account.name}, which may not enter the data directory; its files are kept elsewhere`,
  );
  return elsewhere;
}

/** The cluster's password, from a file that only this user may read; made on first use. */
export async function clusterPassword(dataDir: string): Promise<string> {
  const path = join(dataDir, "postgres-password");
  const known = (await readIfThere(path))?.trim();
  if (known) return known;
  const password = randomBytes(24).toString("hex");
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, `${password}\n`, { mode: 0o600 });
  await rename(fresh, path);
  return password;
}

export interface InitOptions {
  readonly bin: string;
  readonly account: Account | undefined;
  readonly password: string;
}

/**
 * Makes the cluster when it is not there; in a folder beside it that is renamed when complete, so that a crash leaves either
 * nothing or a whole cluster. Throws `database_setup` when initdb fails or the cluster is of another major version.
 */
export async function ensureCluster(folder: string, options: InitOptions): Promise<void> {
  const version = (await readIfThere(join(folder, "PG_VERSION")))?.trim();
  if (version !== undefined) {
    const found = /\d+/.exec((await run(join(options.bin, "postgres"), ["--version"])).stdout)?.[0];
    if (version === found) return;
    throw new ApiError(
      "database_setup",
      `${folder} was made by Postgres ${version}, this is Postgres ${found}; dump it with the old version and restore it, ` +
        "or set DATABASE_URL to a server of the old version",
    );
  }
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  const secrets = await mkdtemp(join(tmpdir(), "cytomesh-initdb-"));
  try {
    const pwfile = join(secrets, "password");
    await writeFile(pwfile, `${options.password}\n`, { mode: 0o600 });
    if (options.account) {
      for (const path of [fresh, secrets, pwfile])
        await chown(path, options.account.uid, options.account.gid);
    }
    await initdb(fresh, pwfile, options);
  } finally {
    await rm(secrets, { recursive: true, force: true });
  }
  await rename(fresh, folder);
}

async function initdb(folder: string, pwfile: string, { bin, account }: InitOptions): Promise<void> {
  // The C locale makes names sort by their bytes and the result independent of the machine.
  const flags = [
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-instructions",
    "--data-checksums",
  ];
  try {
    await run(
      join(bin, "initdb"),
      [`--pgdata=${folder}`, `--username=${clusterUser}`, `--pwfile=${pwfile}`, ...flags],
      {
        ...(account && { uid: account.uid, gid: account.gid }),
        cwd: "/",
      },
    );
  } catch (cause) {
    const output = String((cause as { stderr?: unknown }).stderr ?? cause).trim();
    throw new ApiError("database_setup", `initdb could not make ${folder}: ${output.slice(-1000)}`, {
      cause,
    });
  }
}
