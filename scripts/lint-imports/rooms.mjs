// The rooms of a service and which of them may import which. `rest/` and `edge/` are rpc rooms for other protocols.
const ROOMS = {
  rpc: ["services", "schemas"],
  services: ["data-manager", "clients", "schemas"],
  "data-manager": ["schemas"],
  clients: ["schemas"],
  schemas: [],
};
const ALIASES = { rest: "rpc", edge: "rpc" };
const WIRING = new Set(["main.ts", "dependencies.ts"]);

/** The room of a file of a service: a room's name, "wiring" (main.ts, dependencies.ts), "root" (beside them), or undefined outside src. */
function roomOf(workspace, path) {
  const prefix = `${workspace.dir}/src/`;
  if (!path.startsWith(prefix)) return undefined;
  const [first, ...rest] = path.slice(prefix.length).split("/");
  if (rest.length === 0) return WIRING.has(first) ? "wiring" : "root";
  return ALIASES[first] ?? first;
}

function mayImport(from, to, target) {
  if (from === "wiring" || from === to) return true;
  if (to === "root")
    return target === undefined || target.path.endsWith("/src/errors.ts") || target.typesOnly;
  // What lies beside main.ts for every room to use must itself stay below all rooms.
  const allowed = from === "root" ? ["schemas"] : ROOMS[from];
  return allowed.includes(to);
}

function adviceFor(from, to) {
  if (to === "wiring") return "take what you need as an argument; main.ts and dependencies.ts hand it in";
  if (to === "root")
    return "only errors.ts and files of nothing but types may be shared at the root of src; move this file into the room it belongs to";
  if (from === "root")
    return "a file beside main.ts is open to every room, so it may use schemas/ only; move it into a room";
  const reachable = ROOMS[from];
  return reachable.length === 0
    ? `${from}/ imports no other room of its service`
    : `${from}/ may import ${reachable.map((room) => `${room}/`).join(", ")}`;
}

/** A relative import between two rooms of one service that goes the wrong way, as {rule, message}; else undefined. */
export function checkRooms(workspace, file, targetPath, specifier) {
  const from = roomOf(workspace, file.path);
  const to = roomOf(workspace, targetPath);
  if (from === undefined || to === undefined || (ROOMS[to] === undefined && to !== "root" && to !== "wiring"))
    return undefined;
  if (from !== "root" && from !== "wiring" && ROOMS[from] === undefined) return undefined;
  const target = workspace.files.find((other) => other.path === targetPath);
  // A root file of nothing but types may look anywhere: it brings nothing along at run time.
  if (from === "root" && file.typesOnly) return undefined;
  if (mayImport(from, to, target)) return undefined;
  const place = from === "root" ? "a file at the root of src" : `${from}/`;
  const aim = to === "wiring" || to === "root" ? specifier : `${to}/ (${specifier})`;
  return { rule: "rooms", message: `${place} may not import ${aim}: ${adviceFor(from, to)}` };
}

/** A folder in a service's src that is no room, as {rule, message}; else undefined. */
export function checkRoomName(workspace, path) {
  const room = roomOf(workspace, path);
  if (room === undefined || room === "root" || room === "wiring" || ROOMS[room] !== undefined)
    return undefined;
  const known = [...Object.keys(ROOMS), ...Object.keys(ALIASES)].map((name) => `${name}/`).join(", ");
  return {
    rule: "rooms",
    message: `${room}/ is no room of a service; the rooms are ${known}, and each may have folders inside`,
  };
}
