import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { checkRoomName, checkRooms } from "./rooms.mjs";
import { isTestCode } from "./workspaces.mjs";

// `cytomesh up` runs every service in one process, so the command line alone may use the services, by their public door.
const RUNS_SERVICES = "packages/cli";
// The installed command starts the launcher, which belongs to the repository and not to any package.
const LAUNCHES = "packages/cli/bin/cytomesh.mjs";
// Contracts have one door per .proto file instead of one index.
const MANY_DOORS = "@cytomesh/contracts";

/** "@scope/name/sub/path" → ["@scope/name", "sub/path"]. */
function splitSpecifier(specifier) {
  const parts = specifier.split("/");
  const length = specifier.startsWith("@") ? 2 : 1;
  return [parts.slice(0, length).join("/"), parts.slice(length).join("/")];
}

/** Whether `from` may use `to` at all, whichever way it is written; else why not. */
function checkDirection(from, to) {
  if (to === from || to.kind === "package") return undefined;
  if (from.kind === "service")
    return {
      rule: "services-apart",
      message: `${from.dir} may not import ${to.dir}: services meet in proto/; call it through a client in src/clients, or move what both need into packages/`,
    };
  if (from.dir === RUNS_SERVICES) return undefined;
  return {
    rule: "packages-below-services",
    message: `${from.dir} may not import ${to.dir}: packages know no service; move what is needed into a package, or pass it in as an argument`,
  };
}

function checkRelative(repository, workspace, file, specifier) {
  const target = posix.normalize(posix.join(posix.dirname(file.path), specifier));
  const home = repository.workspaces.find(({ dir }) => target === dir || target.startsWith(`${dir}/`));
  if (home === workspace)
    return isTestCode(file.path) ? undefined : checkRooms(workspace, file, target, specifier);
  if (home === undefined) {
    if (isTestCode(file.path) || file.path === LAUNCHES) return undefined;
    return {
      rule: "door",
      message: `"${specifier}" leaves ${workspace.dir}: a package imports its own files and other packages by name`,
    };
  }
  // Kernels have no door at run time: what they share is compiled into each, from the sources whose names begin with "_".
  if (isKernel(file.path) && isKernel(target) && posix.basename(target).startsWith("_")) return undefined;
  return (
    checkDirection(workspace, home) ?? {
      rule: "door",
      message: `"${specifier}" reaches into ${home.dir}: import "${home.name}" instead`,
    }
  );
}

function checkDeclared(repository, workspace, file, name, typeOnly) {
  if (workspace.dependencies.has(name)) return undefined;
  const inDevelopment = workspace.devDependencies.has(name) || repository.shared.has(name);
  if (inDevelopment && (typeOnly || isTestCode(file.path))) return undefined;
  const where = inDevelopment ? "only a devDependency" : "not declared";
  const ours = repository.workspaces.some((other) => other.name === name);
  const how = ours
    ? `add "${name}": "*" to its dependencies and run npm install`
    : `run npm i -w ${workspace.name} --save-exact ${name}`;
  return { rule: "declared", message: `"${name}" is ${where} in ${workspace.dir}/package.json: ${how}` };
}

function checkByName(repository, workspace, file, { specifier, typeOnly }) {
  const [name, path] = splitSpecifier(specifier);
  if (name === workspace.name)
    return { rule: "door", message: `"${specifier}" is this package itself: import the file relatively` };
  const target = repository.workspaces.find((other) => other.name === name);
  const direction = target && checkDirection(workspace, target);
  if (direction) return direction;
  if (target && path !== "" && name !== MANY_DOORS && !target.doors.has(`./${path}`))
    return {
      rule: "door",
      message: `"${specifier}" goes past the door of ${target.dir}: import "${name}", and export there what is missing`,
    };
  return checkDeclared(repository, workspace, file, name, typeOnly);
}

function checkImport(repository, workspace, file, found) {
  const { specifier } = found;
  if (isBuiltin(specifier)) return undefined;
  if (specifier.startsWith(".")) return checkRelative(repository, workspace, file, specifier);
  if (/^(\/|[a-z]+:)/.test(specifier))
    return { rule: "declared", message: `"${specifier}" is a path or address: import by package name` };
  return checkByName(repository, workspace, file, found);
}

function checkFile(repository, workspace, file) {
  const at = (line, problem) => (problem ? [{ file: file.path, line, ...problem }] : []);
  const problems = file.imports.flatMap((found) =>
    at(found.line, checkImport(repository, workspace, file, found)),
  );
  if (!/\.config\.\w+$/.test(file.path))
    for (const line of file.defaultExports)
      problems.push(
        ...at(line, {
          rule: "named-exports",
          message: "export it by name: a default export is called differently everywhere",
        }),
      );
  if (workspace.kind === "service" && !isTestCode(file.path))
    problems.push(...at(1, checkRoomName(workspace, file.path)));
  return problems;
}

/** Which package uses which, by its sources and by its package.json, with the place that says so. Tests are left out. */
function packageGraph({ workspaces }) {
  const byName = new Map(workspaces.map((workspace) => [workspace.name, workspace]));
  return new Map(
    workspaces.map((workspace) => {
      const edges = new Map();
      for (const name of workspace.dependencies)
        if (byName.has(name)) edges.set(name, { file: `${workspace.dir}/package.json`, line: 1 });
      for (const file of workspace.files) {
        if (isTestCode(file.path)) continue;
        for (const { specifier, line } of file.imports) {
          const [name] = splitSpecifier(specifier);
          if (byName.has(name) && name !== workspace.name) edges.set(name, { file: file.path, line });
        }
      }
      return [workspace.name, edges];
    }),
  );
}

/** One problem for every way back found while walking the packages depth first. */
function checkCycles(repository) {
  const graph = packageGraph(repository);
  const done = new Set();
  const problems = [];
  const visit = (name, path) => {
    if (path.includes(name)) {
      const cycle = [...path.slice(path.indexOf(name)), name];
      const place = graph.get(cycle.at(-2)).get(name);
      const message = `${cycle.join(" → ")}: packages depend on each other in a circle; move what both need into a third, or pass it in`;
      problems.push({ ...place, rule: "cycle", message });
    } else if (!done.has(name)) {
      for (const next of graph.get(name).keys()) visit(next, [...path, name]);
      done.add(name);
    }
  };
  for (const name of graph.keys()) visit(name, []);
  return problems;
}

/** Everything in the repository that breaks the import rule, in file and line order. */
export function lintImports(repository) {
  const problems = repository.workspaces.flatMap((workspace) =>
    workspace.files.flatMap((file) => checkFile(repository, workspace, file)),
  );
  return [...problems, ...checkCycles(repository)].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line,
  );
}

function isKernel(path) {
  return /^packages\/[^/]+\/assembly\//.test(path);
}
