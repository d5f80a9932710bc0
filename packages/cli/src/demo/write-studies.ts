import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeH5ad } from "@cytomesh/anndata";
import { createH5 } from "@cytomesh/hdf5";
import { DEMO_ONTOLOGY_OBO, demoOntology } from "./demo-ontology.ts";
import { layOutStudy } from "./h5ad-layouts.ts";
import type { Study } from "./studies.ts";

/** Paths of everything `writeStudies` wrote. */
export interface DemoFiles {
  /** One .h5ad per reference study, in order. */
  references: string[];
  /** .h5ad files of the query studies: no cell types inside. */
  queries: string[];
  /** Per query study a CSV `cell_id,cell_type_ontology_term_id,cell_type`, rows in the order of the file. */
  queryTruths: string[];
  /** The demo ontology as OBO. */
  ontologyObo: string;
  /** The same as resource JSON, ready to serve. */
  ontologyResource: string;
}

/**
 * Writes studies and the demo ontology into a directory, making it when needed and replacing what an earlier run left.
 * Files are byte-identical for identical studies. Each appears under its name only when it is complete.
 *
 * @throws AnnDataError, Hdf5Error, or the file system's error; the signal's reason when aborted between files.
 */
export async function writeStudies(
  dir: string,
  studies: readonly Study[],
  options: { signal?: AbortSignal } = {},
): Promise<DemoFiles> {
  await mkdir(dir, { recursive: true });
  const files: DemoFiles = {
    references: [],
    queries: [],
    queryTruths: [],
    ontologyObo: join(dir, "demo-ontology.obo"),
    ontologyResource: join(dir, "demo-ontology.json"),
  };
  for (const study of studies) {
    options.signal?.throwIfAborted();
    const path = join(dir, `${study.name}.h5ad`);
    await writeStudy(path, study);
    if (study.role === "reference") {
      files.references.push(path);
      continue;
    }
    const truth = join(dir, `${study.name}-truth.csv`);
    await replaceFile(truth, truthCsv(study));
    files.queries.push(path);
    files.queryTruths.push(truth);
  }
  await replaceFile(files.ontologyObo, DEMO_ONTOLOGY_OBO);
  await replaceFile(files.ontologyResource, `${JSON.stringify(demoOntology().resource)}\n`);
  return files;
}

async function writeStudy(path: string, study: Study): Promise<void> {
  if (study.layout === "csr") {
    await writeH5ad(path, { x: study.x, obs: study.obs, var: study.var, uns: { ...study.uns } });
    return;
  }
  const partial = `${path}.partial`;
  await rm(partial, { force: true });
  const file = createH5(partial);
  try {
    layOutStudy(file, study);
  } catch (error) {
    file.abort();
    await rm(partial, { force: true });
    throw error;
  }
  file.finish();
  await rename(partial, path);
}

async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.partial`, text);
  await rename(`${path}.partial`, path);
}

function truthCsv(study: Study): string {
  const { ontology } = demoOntology();
  const rows = study.obs.index.map((cell, row) => {
    const id = study.truth[row]!;
    return `${cell},${id},"${ontology.label(ontology.indexOf(id))}"`;
  });
  return ["cell_id,cell_type_ontology_term_id,cell_type", ...rows, ""].join("\n");
}
