/** Connected components of an image. */
export interface Components {
  /** Label of every pixel, from 1 in the order of their first pixels; 0 elsewhere. */
  readonly labels: Int32Array;
  /** Pixels of each label; position 0 is unused. */
  readonly areas: number[];
}

/**
 * Components of the pixels of `mask` that equal `value`, by two passes with union-find (Rosenfeld and Pfaltz 1966).
 * `connectivity` 4 joins over edges, 8 over corners too.
 */
export function connectedComponents(
  mask: Uint8Array,
  width: number,
  height: number,
  value: 0 | 1,
  connectivity: 4 | 8,
): Components {
  const labels = new Int32Array(mask.length);
  const parent: number[] = [0];
  const find = (label: number): number => {
    let root = label;
    while (parent[root] !== root) root = parent[root] as number;
    for (let at = label; at !== root; ) {
      const next = parent[at] as number;
      parent[at] = root;
      at = next;
    }
    return root;
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (mask[i] !== value) continue;
      let root = 0;
      const join = (neighbour: number) => {
        if (neighbour === 0) return;
        const other = find(neighbour);
        if (root === 0 || other === root) root = other;
        else {
          parent[Math.max(root, other)] = Math.min(root, other);
          root = Math.min(root, other);
        }
      };
      if (x > 0) join(labels[i - 1] as number);
      if (y > 0) {
        join(labels[i - width] as number);
        if (connectivity === 8) {
          if (x > 0) join(labels[i - width - 1] as number);
          if (x < width - 1) join(labels[i - width + 1] as number);
        }
      }
      if (root === 0) {
        root = parent.length;
        parent.push(root);
      }
      labels[i] = root;
    }
  }
  return renumber(labels, parent);
}

function renumber(labels: Int32Array, parent: readonly number[]): Components {
  const final = new Int32Array(parent.length);
  const areas = [0];
  for (let label = 1; label < parent.length; label++) {
    // A parent is never larger than its child, so it has its number already.
    if (parent[label] === label) final[label] = areas.push(0) - 1;
    else final[label] = final[parent[label] as number] as number;
  }
  for (let i = 0; i < labels.length; i++) {
    const label = final[labels[i] as number] as number;
    labels[i] = label;
    if (label > 0) areas[label]! += 1;
  }
  return { labels, areas };
}

/** Fill background components of fewer than `minAreaPx` pixels, in place: nucleoli and noise must not look like edges. */
export function fillSmallHoles(mask: Uint8Array, width: number, height: number, minAreaPx: number): void {
  const { labels, areas } = connectedComponents(mask, width, height, 0, 4);
  for (let i = 0; i < mask.length; i++) {
    const label = labels[i] as number;
    if (label > 0 && (areas[label] as number) < minAreaPx) mask[i] = 1;
  }
}
