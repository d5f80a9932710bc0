import { posix, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ObjectStoreError } from "./errors.ts";

export type ObjectScheme = "file" | "s3" | "gs";

export interface ParsedUri {
  scheme: ObjectScheme;
  /** Empty for `file`. */
  bucket: string;
  /** For `file` the absolute, decoded path; otherwise the object's key as it is. May be empty or end with `/`. */
  key: string;
}

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;
// S3 and GCS bucket names: 3-63 of these (GCS: up to 222 with dots). https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;
/** Both S3 and GCS limit a key to 1024 bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

function invalid(uri: string, why: string): ObjectStoreError {
  return new ObjectStoreError("invalid-uri", `Not a usable object URI: ${JSON.stringify(uri)}: ${why}`, {
    uri,
  });
}

/** Splits a URI. Throws `invalid-uri`. Keys of `s3://` and `gs://` are raw; paths of `file://` are percent-encoded. */
export function parseUri(uri: string): ParsedUri {
  const scheme = SCHEME.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    throw invalid(uri, "expected file://, s3:// or gs:// (toUri() turns a plain path into file://).");
  }
  if (!uri.isWellFormed() || uri.includes("\0"))
    throw invalid(uri, "it holds a NUL or half a surrogate pair.");
  const rest = uri.slice(scheme.length + 3);
  if (scheme === "file") return { scheme, bucket: "", key: parseFilePath(uri, rest) };
  if (scheme !== "s3" && scheme !== "gs") {
    throw invalid(uri, `the scheme ${scheme}:// is not known; expected file://, s3:// or gs://.`);
  }
  const slash = rest.indexOf("/");
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  const key = slash < 0 ? "" : rest.slice(slash + 1);
  if (!BUCKET.test(bucket)) throw invalid(uri, `${JSON.stringify(bucket)} is not a bucket name.`);
  if (Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw invalid(uri, `the key is longer than ${MAX_KEY_BYTES} bytes.`);
  return { scheme, bucket, key };
}

function parseFilePath(uri: string, rest: string): string {
  const slash = rest.indexOf("/");
  const host = slash < 0 ? rest : rest.slice(0, slash);
  if (slash < 0 || (host !== "" && host.toLowerCase() !== "localhost")) {
    throw invalid(uri, "expected three slashes and an absolute path, as in file:///data/x.h5ad.");
  }
  const encoded = rest.slice(slash);
  if (/[?#]/.test(encoded)) {
    throw invalid(uri, "a ? or # in a file name must be percent-encoded; toUri(path) does that.");
  }
  if (/%(2f|00)/i.test(encoded)) throw invalid(uri, "an encoded slash or NUL cannot be part of a file name.");
  try {
    return posix.normalize(decodeURIComponent(encoded));
  } catch (cause) {
    throw new ObjectStoreError("invalid-uri", `Bad percent-encoding in ${JSON.stringify(uri)}.`, {
      uri,
      cause,
    });
  }
}

/** The canonical URI of a location; the inverse of `parseUri`. */
export function formatUri({ scheme, bucket, key }: ParsedUri): string {
  return scheme === "file" ? pathToFileURL(key).href : `${scheme}://${bucket}/${key}`;
}

/**
 * Appends name parts to a URI. Parts are plain text, never already encoded: `joinUri("file:///d", "50% #1.h5ad")` is
 * `file:///d/50%25%20%231.h5ad`. A part may hold slashes; a trailing slash on the last one stays. Throws `invalid-uri`
 * for `.` and `..`, so that a name from outside cannot climb out of its base.
 */
export function joinUri(base: string, ...parts: string[]): string {
  const parsed = parseUri(base);
  const segments: string[] = [];
  for (const part of parts) segments.push(...part.split("/").filter((segment) => segment !== ""));
  for (const segment of segments) {
    if (segment === "." || segment === "..")
      throw invalid(base, `cannot append the part ${JSON.stringify(segment)}.`);
  }
  if (segments.length === 0) return formatUri(parsed);
  const head = parsed.key === "" || parsed.key.endsWith("/") ? parsed.key : `${parsed.key}/`;
  const tail = parts.findLast((part) => part !== "")?.endsWith("/") ? "/" : "";
  const joined = formatUri({ ...parsed, key: head + segments.join("/") + tail });
  parseUri(joined);
  return joined;
}

/** A URI stays (made canonical), anything else is a path and becomes an absolute `file://` URI. Throws `invalid-uri`. */
export function toUri(pathOrUri: string): string {
  if (SCHEME.test(pathOrUri)) return formatUri(parseUri(pathOrUri));
  if (pathOrUri === "") throw invalid(pathOrUri, "it is empty.");
  if (/^(file|s3|gs):/i.test(pathOrUri))
    throw invalid(pathOrUri, "two slashes are missing after the scheme.");
  if (!pathOrUri.isWellFormed() || pathOrUri.includes("\0")) {
    throw invalid(pathOrUri, "the path holds a NUL or half a surrogate pair.");
  }
  const path = resolve(pathOrUri);
  return formatUri({
    scheme: "file",
    bucket: "",
    key: pathOrUri.endsWith("/") && path !== "/" ? `${path}/` : path,
  });
}

/** Byte order of UTF-8, which is the order S3 and GCS list in; `<` on strings is not, beyond the BMP. */
export function compareUris(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
