import { createHash } from "node:crypto";
import type { OntologyResource } from "@cytomesh/ontology";
import { EdgeError } from "../edge/errors.ts";
import type { RestDeps } from "./deps.ts";

/** An ontology resource as clients download it. */
export interface ServedOntology {
  /** JSON without the ancestors, which stay on the server. */
  readonly body: Buffer;
  /** Strong entity tag of the body, with its quotes. */
  readonly etag: string;
  /** Edges on the shortest path from the root, by term id. */
  readonly depths: ReadonlyMap<string, number>;
}

const servedKeys = [
  "cl_names",
  "cell_ontology_term_id_to_cell_type",
  "children_dictionary",
  "shortest_path_lengths_from_cell_root",
  "longest_path_lengths_from_cell_root",
] as const satisfies readonly (keyof OntologyResource)[];

/** Resources kept in memory, a few MB each. */
const kept = 8;

const readTimeoutMs = 60_000;

/** The ontologies that are served. */
export type Ontologies = ReturnType<typeof createOntologies>;

/** Ontology resources by name, kept by checksum. */
export function createOntologies({
  clients: { catalog },
  readObject,
}: Pick<RestDeps, "clients" | "readObject">) {
  const cache = new Map<string, Promise<ServedOntology>>();
  return {
    /**
     * @throws ConnectError `not_found` no ontology of that name
     * @throws EdgeError `bad-answer` the file is not a resource
     */
    async get(name: string): Promise<ServedOntology> {
      const { ontology } = await catalog.getOntology({ name });
      const { sha256 = "", uri = "" } = ontology ?? {};
      const key = `${name} ${sha256}`;
      const found = cache.get(key);
      if (found !== undefined) return found;
      // Several requests may wait for this, so it does not end with the one that began it.
      const reading = readObject(uri, AbortSignal.timeout(readTimeoutMs)).then((bytes) =>
        toServed(name, bytes),
      );
      if (cache.size >= kept) cache.delete(cache.keys().next().value ?? "");
      cache.set(key, reading);
      reading.catch(() => cache.delete(key));
      return reading;
    },
  };
}

function toServed(name: string, bytes: Uint8Array): ServedOntology {
  let resource: Partial<OntologyResource> | null;
  try {
    resource = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new EdgeError("bad-answer", `the ontology resource ${name} is not JSON`, { cause });
  }
  const lacking = servedKeys.filter((key) => typeof resource?.[key] !== "object" || resource[key] === null);
  if (resource === null || lacking.length > 0)
    throw new EdgeError("bad-answer", `the ontology resource ${name} has no ${lacking.join(", no ")}`);
  const body = Buffer.from(JSON.stringify(Object.fromEntries(servedKeys.map((key) => [key, resource[key]]))));
  return {
    body,
    etag: `"${createHash("sha256").update(body).digest("hex").slice(0, 32)}"`,
    depths: new Map(Object.entries(resource.shortest_path_lengths_from_cell_root ?? {})),
  };
}

/** Whether `If-None-Match` names the tag. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag);
}
