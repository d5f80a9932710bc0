import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../schemas/runtime.ts";
import { serverAccount } from "./account.ts";
import { postgresBinaries } from "./binaries.ts";
import { clusterFolder } from "./cluster.ts";
import { startEmbeddedPostgres } from "./embedded.ts";
import { answers, stopPostmaster } from "./postmaster.ts";

/** A Postgres server of one test, which can be away for a while and comes back on the same port. */
export interface RestartablePostgres {
  readonly url: string;
  /** Ends the server as an administrator would. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

export async function startRestartablePostgres(): Promise<RestartablePostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), "cytomesh-restart-"));
  const server = await startEmbeddedPostgres({ dataDir, logger: silentLogger, settings: ["fsync=off"] });
  const account = await serverAccount(silentLogger);
  const bin = await postgresBinaries(account, silentLogger);
  const folder = await clusterFolder(dataDir, account, silentLogger);
  let { pid } = server;
  return {
    url: server.url("cytomesh"),
    goAway: () => stopPostmaster(pid, folder),
    async comeBack() {
      const settings = [`port=${server.port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="];
      const child = spawn(
        join(bin, "postgres"),
        ["-D", folder, ...settings.flatMap((setting) => ["-c", setting])],
        { stdio: "ignore", cwd: "/", ...(account && { uid: account.uid, gid: account.gid }) },
      );
      child.unref();
      pid = child.pid as number;
      while (!(await answers(server.url("postgres"), folder))) await sleep(50);
    },
    async close() {
      await stopPostmaster(pid, folder);
      await server.stop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}
