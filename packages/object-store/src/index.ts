export type { ObjectStoreErrorTag } from "./errors.ts";
export { OBJECT_STORE_ERRORS, ObjectStoreError } from "./errors.ts";
export type { GetJsonOptions, LocalFileOptions, PutJsonOptions } from "./helpers.ts";
export { getJson, putJson, sha256Of, withLocalFile, withLocalFiles } from "./helpers.ts";
export { createLocalCopies, type LocalCopies } from "./local-copies.ts";
export { createObjectStore } from "./object-store.ts";
export { publishFolder, putOnce, sha256Hex } from "./publish.ts";
export { sha256OfSource, stampOfSource, withLocalSource } from "./trees.ts";
export type {
  ByteRange,
  CallOptions,
  GcsOptions,
  GetOptions,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  ObjectStoreOptions,
  PutFileOptions,
  PutOptions,
  S3Options,
  StreamOptions,
} from "./types.ts";
export type { ObjectScheme, ParsedUri } from "./uri.ts";
export { formatUri, joinUri, parseUri, toUri } from "./uri.ts";
