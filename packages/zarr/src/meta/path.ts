import { ZarrError } from "../errors.ts";

/** "/a/b", "a/b/" → "a/b"; the root is "". Segments that could climb or confuse a file system are refused. */
export function normalPath(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "");
  for (const segment of segments) {
    if (segment === "." || segment === ".." || segment.includes("\\") || segment.includes("\0")) {
      throw new ZarrError("refused-path", `${JSON.stringify(path)} is not a path inside a hierarchy`);
    }
  }
  return segments.join("/");
}

/** Key of a file of a node. */
export function under(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}
