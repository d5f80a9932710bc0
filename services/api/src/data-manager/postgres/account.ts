import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import { ApiError } from "../../errors.ts";
import type { Logger } from "../../schemas/runtime.ts";

const run = promisify(execFile);
const USER = "postgres";

/** The system account that runs the server; undefined: the one this process has. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

async function lookUp(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run("id", ["-u", USER]), run("id", ["-g", USER])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout), name: USER };
  } catch {
    return undefined;
  }
}

/**
 * Postgres refuses to run as root. As root: the account `postgres`, created as a system user when there is none.
 * Throws `database_setup` when it can be neither found nor created.
 */
export async function serverAccount(logger: Logger): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = await lookUp();
  if (known) return known;
  let cause: unknown;
  try {
    await run("useradd", [
      "--system",
      "--user-group",
      "--no-create-home",
      "--shell",
      "/usr/sbin/nologin",
      USER,
    ]);
    logger.warn({ user: USER }, "created a system user, because Postgres does not run as root");
  } catch (error) {
    // Another process may have created it in the meantime, and Alpine has adduser instead.
    cause = error;
    await run("adduser", ["-S", "-D", "-H", USER]).catch(() => {});
  }
  const created = await lookUp();
  if (created) return created;
  throw new ApiError(
    "database_setup",
    `Postgres does not run as root, and the user ${USER} could not be created; run as another user, create the user ${USER}, ` +
      "or set DATABASE_URL to a running Postgres",
    { cause },
  );
}

/** The nearest directory on the way to `path`, itself included, that the account may not enter; undefined: none. */
export async function firstClosedDirectory(path: string, account: Account): Promise<string | undefined> {
  const way: string[] = [];
  for (let dir = resolve(path); ; dir = dirname(dir)) {
    way.unshift(dir);
    if (dir === dirname(dir)) break;
  }
  for (const dir of way) {
    const { uid, gid, mode } = await stat(dir);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return dir;
  }
  return undefined;
}
