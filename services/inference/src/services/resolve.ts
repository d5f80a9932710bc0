import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Index, Model } from "@cytomesh/contracts/catalog/v1/resources";
import type { CatalogLookups } from "../clients/catalog.ts";
import { InferenceError } from "../errors.ts";

/**
 * The model of a request: the one named, else the default one.
 *
 * @throws InferenceError `no-default-model`; the catalog's NOT_FOUND
 */
export async function resolveModel(catalog: CatalogLookups, name: string): Promise<Model> {
  const model = name === "" ? await catalog.defaultModel() : await catalog.model(name);
  if (model === undefined)
    throw new InferenceError(
      "no-default-model",
      "the request names no model and there is no default one yet; build an index with make_default, or name a model",
    );
  return model;
}

/**
 * The index of a request and its model: the index named; else the default index of the model, else its newest.
 *
 * @throws InferenceError `no-index`, `invalid-header`, `no-default-model`; the catalog's NOT_FOUND
 */
export async function resolveIndex(
  catalog: CatalogLookups,
  names: { index: string; model: string },
): Promise<{ index: Index; model: Model }> {
  if (names.index !== "") {
    const index = await catalog.index(names.index);
    if (names.model !== "" && names.model !== index.model)
      throw new InferenceError(
        "invalid-header",
        `index ${index.name} holds vectors of model ${index.model}, the request names model ${names.model}; leave one of them out`,
      );
    return { index, model: await catalog.model(index.model) };
  }
  const model = await resolveModel(catalog, names.model);
  const all = await catalog.indexesOf(model.name);
  const newestFirst = [...all].sort((a, b) => createdMs(b) - createdMs(a));
  const index = newestFirst.find((one) => one.isDefault) ?? newestFirst[0];
  if (index === undefined)
    throw new InferenceError(
      "no-index",
      `model ${model.name} has no index to search in; build one with a build_index job`,
    );
  return { index, model };
}

function createdMs(index: Index): number {
  return index.createdAt === undefined ? 0 : timestampMs(index.createdAt);
}
