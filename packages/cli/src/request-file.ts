import { type DescMessage, fromJson, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import { getJson, toUri } from "@cytomesh/object-store";
import { CliError } from "./errors.ts";
import { openStore } from "./local-store.ts";

/**
 * Read a request from a JSON file in protobuf JSON form (`snake_case` and `lowerCamelCase` are both understood).
 *
 * @throws CliError `usage` when it is not such a request.
 */
export async function readRequestFile<S extends DescMessage>(
  schema: S,
  pathOrUri: string,
): Promise<MessageShape<S>> {
  const store = openStore();
  try {
    const json = (await getJson(store, toUri(pathOrUri))) as JsonValue;
    return fromJson(schema, json);
  } catch (error) {
    throw new CliError("usage", `${pathOrUri}: ${(error as Error).message}`, { cause: error });
  } finally {
    await store.close();
  }
}
