import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { zstdDecompressSync } from "node:zlib";
import { toUri } from "@cytomesh/object-store";
import {
  buildResource,
  type OntologyResource,
  parseObo,
  parseOboGraphs,
  parseOntologyGuide,
  validateResource,
} from "@cytomesh/ontology";
import { type MeshClient, withMesh } from "../client.ts";
import { defineCommand, meshOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { openStore } from "../local-store.ts";
import { formatCount } from "../terminal/text.ts";

/** `cytomesh ontology add`: make a resource from a published ontology and register it. */
export const ontologyAdd = defineCommand({
  name: "ontology add",
  usage: "ontology add NAME FILE --output URI",
  positionals: 2,
  options: {
    api: meshOptions.api,
    output: {
      type: "string",
      value: "URI",
      help: "where the resource JSON is kept: a place that the services of the mesh can read",
    },
    description: { type: "string", value: "TEXT", help: "readable description" },
  },
  async run({ options, positionals }) {
    const [name, file] = positionals;
    if (name === undefined || file === undefined || options.output === undefined)
      throw new CliError("usage", "use: ontology add NAME FILE --output URI");
    const resource = await readOntologyFile(file);
    await withMesh(options.api, async (mesh) => {
      const terms = await registerOntology(mesh, {
        name,
        resource,
        uri: toUri(options.output as string),
        description: options.description ?? "",
      });
      process.stdout.write(`${name}: ${formatCount(terms)} terms\n`);
    });
  },
});

/** Read an ontology in any of the forms it is published in. */
export async function readOntologyFile(path: string): Promise<OntologyResource> {
  const packed = await readFile(path);
  const text = (path.endsWith(".zst") ? zstdDecompressSync(packed) : packed).toString("utf8");
  if (!text.trimStart().startsWith("{"))
    return buildResource(parseObo(text), { root: "CL:0000000", prefix: "CL:" });
  const json: unknown = JSON.parse(text);
  const keys = new Set(Object.keys(json as object));
  if (keys.has("ancestors_dictionary")) return validateResource(json);
  const terms = keys.has("graphs") ? parseOboGraphs(json) : parseOntologyGuide(json);
  return buildResource(terms, { root: "CL:0000000", prefix: "CL:" });
}

/** Put a resource where the services can read it, and register it. Returns the number of terms. */
export async function registerOntology(
  mesh: MeshClient,
  o: { name: string; resource: OntologyResource; uri: string; description: string },
): Promise<number> {
  const bytes = Buffer.from(JSON.stringify(o.resource));
  const store = openStore();
  try {
    await store.put(o.uri, bytes, { contentType: "application/json" });
  } finally {
    await store.close();
  }
  const terms = o.resource.cl_names.length;
  await mesh.catalog.registerOntology({
    ontology: {
      name: o.name,
      uri: o.uri,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      terms,
      columnName: "cell_type",
      description: o.description,
    },
  });
  return terms;
}
