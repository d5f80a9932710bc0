import { OntologyError } from "./errors.ts";

/** A directed graph parent → child over indices 0 … n−1. */
export interface Graph {
  readonly children: readonly (readonly number[])[];
  readonly parents: readonly (readonly number[])[];
}

/** Builds both directions from each node's parents. */
export function graphFromParents(parents: readonly (readonly number[])[]): Graph {
  const children: number[][] = parents.map(() => []);
  parents.forEach((list, child) => {
    for (const parent of list) children[parent]!.push(child);
  });
  return { children, parents };
}

/**
 * Every node after all of its parents (Kahn).
 *
 * @throws OntologyError `cycle`, spelling the cycle out with `name`.
 */
export function topologicalOrder(graph: Graph, name: (node: number) => string): Int32Array {
  const waiting = Int32Array.from(graph.parents, (list) => list.length);
  const order = new Int32Array(waiting.length);
  let filled = 0;
  for (let node = 0; node < waiting.length; node++) if (waiting[node] === 0) order[filled++] = node;
  for (let next = 0; next < filled; next++) {
    for (const child of graph.children[order[next]!]!) {
      if (--waiting[child]! === 0) order[filled++] = child;
    }
  }
  if (filled < waiting.length) {
    throw new OntologyError("cycle", `The is_a edges form a cycle: ${describeCycle(graph, waiting, name)}.`);
  }
  return order;
}

/** Long cycles are cut in the middle: the message has to stay readable. */
const CYCLE_NAMES = 20;

function describeCycle(graph: Graph, waiting: Int32Array, name: (node: number) => string): string {
  // Every node Kahn left over has a parent it left over too, so walking up must come back to a node already seen.
  let node = waiting.findIndex((count) => count > 0);
  const position = new Map<number, number>();
  const path: number[] = [];
  while (!position.has(node)) {
    position.set(node, path.length);
    path.push(node);
    node = graph.parents[node]!.find((parent) => waiting[parent]! > 0)!;
  }
  const cycle = [...path.slice(position.get(node)!), node].map(name);
  if (cycle.length <= CYCLE_NAMES) return cycle.join(" is_a ");
  const hidden = cycle.length - CYCLE_NAMES;
  return [...cycle.slice(0, CYCLE_NAMES / 2), `… ${hidden} more …`, ...cycle.slice(-CYCLE_NAMES / 2)].join(
    " is_a ",
  );
}

/** Edges on the shortest path from `root`, −1 where there is none (breadth first). */
export function shortestDepths(graph: Graph, root: number): Int32Array {
  const depths = new Int32Array(graph.children.length).fill(-1);
  depths[root] = 0;
  const queue = [root];
  for (let next = 0; next < queue.length; next++) {
    const node = queue[next]!;
    for (const child of graph.children[node]!) {
      if (depths[child]! >= 0) continue;
      depths[child] = depths[node]! + 1;
      queue.push(child);
    }
  }
  return depths;
}

/** Edges on the longest path from `root`, −1 where there is none (dynamic programme over a topological order). */
export function longestDepths(graph: Graph, order: Int32Array, root: number): Int32Array {
  const depths = new Int32Array(graph.children.length).fill(-1);
  depths[root] = 0;
  for (const node of order) {
    if (depths[node]! < 0) continue;
    for (const child of graph.children[node]!) {
      depths[child] = Math.max(depths[child]!, depths[node]! + 1);
    }
  }
  return depths;
}
