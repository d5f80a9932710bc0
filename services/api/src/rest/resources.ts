import { Code, ConnectError } from "@connectrpc/connect";
import type { Index, Model } from "@cytomesh/contracts/catalog/v1/resources";
import { EdgeError } from "../edge/errors.ts";
import type { RestDeps } from "./deps.ts";

/** All pages of a list. */
export async function allPages<T>(
  page: (pageToken: string) => Promise<{ items: T[]; nextPageToken: string }>,
): Promise<T[]> {
  const items: T[] = [];
  for (let token = ""; ; ) {
    const answer = await page(token);
    items.push(...answer.items);
    token = answer.nextPageToken;
    if (token === "") return items;
  }
}

/** A model that can annotate, with the index it annotates against. */
export interface ServedModel {
  readonly model: Model;
  readonly index: Index;
  readonly isDefault: boolean;
}

/** What the catalog knows, as annotation needs it. */
export interface Resources {
  /** Models that have an index, newest first; exactly one is the default, when there is any. */
  servedModels(): Promise<ServedModel[]>;
  /**
   * The index to annotate against and its model: the index named, else that of the model named, else that of the default model.
   *
   * @throws EdgeError `bad-request` there is none
   */
  target(named: {
    index?: string | undefined;
    model?: string | undefined;
  }): Promise<Omit<ServedModel, "isDefault">>;
  /** Gene ids of a schema. Schemas never change, so the answer is kept. */
  featureIds(schema: string): Promise<readonly string[]>;
}

const pageSize = 500;
/** Schemas kept: each is a few MB of text. */
const schemasKept = 16;

/** Read the catalog through its service. */
export function createResources({ catalog }: RestDeps["clients"]): Resources {
  const schemas = new Map<string, readonly string[]>();
  const allIndexes = () =>
    allPages(async (pageToken) => {
      const { indexes, nextPageToken } = await catalog.listIndexes({ pageSize, pageToken });
      return { items: indexes, nextPageToken };
    });
  const allModels = () =>
    allPages(async (pageToken) => {
      const { models, nextPageToken } = await catalog.listModels({ pageSize, pageToken });
      return { items: models, nextPageToken };
    });
  // Lists are newest first: without a marked index the newest one serves.
  const indexOf = (model: string, indexes: readonly Index[]): Index | undefined => {
    const own = indexes.filter((index) => index.model === model);
    return own.find((one) => one.isDefault) ?? own[0];
  };
  const getModel = async (name: string): Promise<Model> => {
    const { model } = await catalog.getModel({ name }).catch((reason) => {
      throw whenNotFound(
        reason,
        () => new EdgeError("bad-request", `Model ${name} not found in the database`),
      );
    });
    if (model === undefined)
      throw new EdgeError("bad-answer", `the catalog has no answer about model ${name}`);
    return model;
  };
  const servedModels = async (): Promise<ServedModel[]> => {
    const [models, indexes] = await Promise.all([allModels(), allIndexes()]);
    const served = models.flatMap((model) => {
      const index = indexOf(model.name, indexes);
      return index === undefined ? [] : [{ model, index }];
    });
    // Clients need a default: when nobody chose one, or the chosen one has no index yet, it is the newest.
    const chosen = served.find(({ model }) => model.isDefault) ?? served[0];
    return served.map((one) => ({ ...one, isDefault: one === chosen }));
  };
  return {
    servedModels,
    async target(named) {
      if (named.index !== undefined) {
        const { index } = await catalog.getIndex({ name: named.index }).catch((reason) => {
          throw whenNotFound(reason, (text) => new EdgeError("bad-request", text));
        });
        if (index === undefined)
          throw new EdgeError("bad-answer", `the catalog has no answer about ${named.index}`);
        if (named.model !== undefined && named.model !== index.model)
          throw new EdgeError(
            "bad-request",
            `index ${index.name} holds vectors of ${index.model}, not of ${named.model}`,
          );
        return { model: await getModel(index.model), index };
      }
      if (named.model !== undefined) {
        const model = await getModel(named.model);
        const index = indexOf(model.name, await allIndexes());
        if (index === undefined)
          throw new EdgeError("bad-request", `Model ${model.name} has no index yet: build one first`);
        return { model, index };
      }
      const chosen = (await servedModels()).find(({ isDefault }) => isDefault);
      if (chosen === undefined)
        throw new EdgeError(
          "bad-request",
          "no model has an index yet: train a model and build its index first",
        );
      return chosen;
    },
    async featureIds(schema) {
      const known = schemas.get(schema);
      if (known !== undefined) return known;
      const { featureSchema } = await catalog.getFeatureSchema({ name: schema });
      const ids = featureSchema?.featureIds ?? [];
      if (schemas.size >= schemasKept) schemas.delete(schemas.keys().next().value ?? "");
      schemas.set(schema, ids);
      return ids;
    },
  };
}

/** The same error, or one of ours when it says that something is not there. */
export function whenNotFound(reason: unknown, make: (message: string) => EdgeError): unknown {
  return reason instanceof ConnectError && reason.code === Code.NotFound ? make(reason.rawMessage) : reason;
}
