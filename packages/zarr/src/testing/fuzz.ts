import { mutate, randomFrom } from "../../../../bench/fuzz/mutate.ts";
import { ZarrError } from "../errors.ts";
import { openStore, openZarr } from "../open.ts";
import type { ZarrReader } from "../types.ts";
import { memoryStore } from "./memory-store.ts";
import { mutateJson } from "./mutate-json.ts";
import { seedHierarchies, seedZip } from "./seeds.ts";

/** What became of a mutant: values, or the tag of a typed error. Anything else is thrown. */
export type Outcome = "read" | ZarrError["tag"];

/** Small, so that a mutant that only claims to be big costs little. */
const maxBytes = 4 * 1024 * 1024;

/** Makes mutant number `seed` and reads all of it. */
export async function makeFuzzer(): Promise<(seed: number) => Outcome> {
  const hierarchies = await seedHierarchies();
  const zip = await seedZip();
  return (seed) => {
    const source = randomFrom(seed);
    const random = (below: number): number => Math.floor(source() * below);
    const which = random(hierarchies.length + 2);
    if (which >= hierarchies.length) {
      let bytes = zip;
      for (let i = 0; i <= random(2); i++) bytes = mutate(bytes, source).bytes;
      return outcomeOf(() => openZarr(bytes, { maxBytes }));
    }
    const objects = new Map(hierarchies[which]!.objects);
    for (let i = 0; i <= random(2); i++) {
      const keys = [...objects.keys()];
      const key = keys[random(keys.length)]!;
      const isJson = /(zarr\.json|\.z\w+)$/.test(key);
      const before = objects.get(key)!;
      const asJson = isJson && random(3) > 0 ? mutateJson(before, random) : undefined;
      if (random(20) === 0) objects.delete(key);
      else objects.set(key, asJson ?? mutate(before, source).bytes);
    }
    return outcomeOf(() => openStore(memoryStore(objects).sync, "mutant", maxBytes));
  };
}

function outcomeOf(open: () => ZarrReader): Outcome {
  try {
    const reader = open();
    try {
      return walk(reader, "/", 0);
    } finally {
      reader.close();
    }
  } catch (error) {
    return tagOf(error);
  }
}

/** Reads everything; the first error tells the outcome, the rest is read all the same. */
function walk(reader: ZarrReader, path: string, depth: number): Outcome {
  if (depth > 8) return "read";
  let outcome: Outcome = "read";
  const attempt = (work: () => Outcome) => {
    let found: Outcome;
    try {
      found = work();
    } catch (error) {
      found = tagOf(error);
    }
    if (outcome === "read") outcome = found;
  };
  attempt(() => {
    const node = reader.node(path);
    if (node?.kind === "array") {
      reader.read(path);
      const { shape } = node;
      if (shape.every((side) => side > 0))
        reader.read(path, { start: shape.map((side) => side - 1), end: shape });
    }
    return "read";
  });
  attempt(() => {
    for (const name of reader.children(path)) attempt(() => walk(reader, `${path}/${name}`, depth + 1));
    return "read";
  });
  return outcome;
}

function tagOf(error: unknown): Outcome {
  if (error instanceof ZarrError && error.message.length > 10) return error.tag;
  throw error;
}
