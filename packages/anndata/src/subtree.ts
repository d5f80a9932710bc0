import { AnnDataError } from "./errors.ts";
import type { Source } from "./storage.ts";

/**
 * A group of a source as a source of its own, for example one modality of a MuData file ("/mod/rna").
 *
 * @throws AnnDataError "not-found"
 */
export function subtree(source: Source, group: string): Source {
  const root = source.realPath(group);
  if (root === undefined || source.kind(root) !== "group") {
    throw new AnnDataError("not-found", `${source.path}: there is no group ${group}`);
  }
  if (root === "/") return source;
  const at = (where: string) => (where === "/" ? root : `${root}${where}`);
  // Links may lead out of the group, but not to a path that could be named from here.
  const local = (real: string) =>
    real === root ? "/" : real.startsWith(`${root}/`) ? real.slice(root.length) : undefined;
  return {
    ...source,
    path: `${source.path}:${root}`,
    kind: (where) => source.kind(at(where)),
    realPath: (where) => {
      const real = source.realPath(at(where));
      return real === undefined ? undefined : local(real);
    },
    children: (where) => source.children(at(where)),
    attributeNames: (where) => source.attributeNames(at(where)),
    attribute: (where, name) => source.attribute(at(where), name),
    dataset: (where) => source.dataset(at(where)),
  };
}
