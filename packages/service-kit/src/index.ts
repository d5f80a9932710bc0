export { keepCompiledCode } from "./compiled-code.ts";
export { storeLayout } from "./layout.ts";
export { retrySafeJobs } from "./retry-safe-jobs.ts";
export { baseSettings, defaultPorts, type ServiceName } from "./settings.ts";
export { type RunningService, type ServiceParts, type StartOptions, startService } from "./start.ts";
export { createTaskPool, TaskError, type TaskPool } from "./task-pool.ts";
export {
  type BaseSettings,
  type ControlPlane,
  dataDirOf,
  loadBaseSettings,
  openStore,
  openTools,
  type ServiceTools,
  type StoreSettings,
  type ToolOverrides,
  workerName,
} from "./tools.ts";
