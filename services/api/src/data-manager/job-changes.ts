import type { Notifications } from "./postgres/notifications.ts";

/** Tells who waits for a job that it changed. */
export interface ChangeFeed {
  /** `wake` is called after every change of the job, and sometimes without one. Returns the function that ends it. */
  subscribe(jobId: string, wake: () => void): () => void;
}

/** The feed of all replicas' changes. One listener for all watchers: each job has a set of them. */
export function createChangeFeed(notifications: Notifications): ChangeFeed {
  const watchers = new Map<string, Set<() => void>>();
  notifications.subscribe("cytomesh_jobs", (jobId) => {
    const woken = jobId === undefined ? watchers.values() : [watchers.get(jobId) ?? []];
    for (const set of woken) for (const wake of set) wake();
  });
  return {
    subscribe(jobId, wake) {
      const set = watchers.get(jobId) ?? new Set();
      watchers.set(jobId, set.add(wake));
      return () => {
        set.delete(wake);
        if (set.size === 0 && watchers.get(jobId) === set) watchers.delete(jobId);
      };
    },
  };
}
