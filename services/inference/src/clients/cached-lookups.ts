import { runDetached } from "@cytomesh/rpc";
import type { CatalogLookups } from "./catalog.ts";

/** Names remembered at most per kind; a request can name anything. */
const maxNames = 1_000;

/**
 * Lookups that remember an answer for `ttlMs`, so that a busy service asks the catalog once in a while and still notices a new default or
 * a new index soon. Failures are not remembered. Calls are made outside the request that caused them: others wait for the same answer.
 */
export function cachedLookups(
  catalog: CatalogLookups,
  ttlMs: number,
  now: () => number = Date.now,
): CatalogLookups {
  const remember = <T>(ask: (name: string) => Promise<T>): ((name: string) => Promise<T>) => {
    const known = new Map<string, { until: number; answer: Promise<T> }>();
    return (name) => {
      const found = known.get(name);
      if (found !== undefined && found.until > now()) return found.answer;
      known.delete(name);
      if (known.size >= maxNames) known.delete(known.keys().next().value as string);
      const entry = { until: now() + ttlMs, answer: runDetached(() => ask(name)) };
      known.set(name, entry);
      entry.answer.catch(() => {
        if (known.get(name) === entry) known.delete(name);
      });
      return entry.answer;
    };
  };
  const defaultModel = remember(() => catalog.defaultModel());
  return {
    model: remember((name) => catalog.model(name)),
    defaultModel: () => defaultModel(""),
    index: remember((name) => catalog.index(name)),
    indexesOf: remember((model) => catalog.indexesOf(model)),
    ontology: remember((name) => catalog.ontology(name)),
  };
}
