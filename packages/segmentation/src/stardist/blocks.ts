import { SegmentationError } from "../errors.ts";

/** One block of a chain that covers an axis. Positions are in pixels, half-open. */
export interface Block {
  /** What the network sees. */
  readonly start: number;
  readonly end: number;
  /** What counts of it: without context. */
  readonly writeStart: number;
  readonly writeEnd: number;
  /** Objects that end before this position of the write region are those of the block before. */
  readonly responsibleFrom: number;
  readonly first: boolean;
  readonly last: boolean;
}

export interface BlockPlan {
  /** Side of a block in pixels. */
  readonly blockSize: number;
  /** Overlap of the write regions of neighbours; objects have to be smaller. */
  readonly minOverlap: number;
  /** Pixels at the inner sides of a block that only inform the network. */
  readonly context: number;
}

/** A plan whose lengths are multiples of the grid, and rounded up for it. */
export function onGrid(plan: BlockPlan, grid: number): BlockPlan {
  const up = (value: number) => Math.ceil(value / grid) * grid;
  return { blockSize: up(plan.blockSize), minOverlap: up(plan.minOverlap), context: up(plan.context) };
}

/**
 * Blocks that cover an axis as StarDist's `predict_instances_big` does: equal in size but for the last, which may be shorter where `size` is no
 * multiple of `grid`; what is too much is taken from the strides, one grid step at a time in turn. An axis no longer than a block is one
 * block, where the reference refuses it when shorter.
 *
 * @param grid blocks begin and end at its multiples; the plan is rounded up to it.
 * @throws SegmentationError `invalid_argument` when overlap and context leave nothing or too little of a block
 */
export function coverAxis(size: number, plan: BlockPlan, grid: number): Block[] {
  const { blockSize, minOverlap, context } = onGrid(plan, grid);
  if (!(minOverlap >= 0 && context >= 0 && minOverlap + 2 * context < blockSize))
    throw new SegmentationError(
      "invalid_argument",
      `expected overlap + 2 × context < block size, found ${minOverlap} + 2 × ${context} and ${blockSize}`,
    );
  if (size <= blockSize) return [wholeAxis(size)];
  // In grid steps from here on.
  const length = Math.ceil(size / grid);
  const block = blockSize / grid;
  const margin = context / grid;
  const strides: number[] = [];
  let end = block;
  for (; end < length; end += strides.at(-1) as number)
    strides.push(block - (minOverlap / grid + 2 * margin));
  for (let excess = end - length, at = 0; excess > 0; excess--, at = (at + 1) % strides.length)
    strides[at]! -= 1;
  const starts = [0];
  for (const stride of strides) starts.push((starts.at(-1) as number) + stride);
  const before = starts.map((_, i) => (i === 0 ? 0 : margin));
  const after = starts.map((_, i) => (i === starts.length - 1 ? 0 : margin));
  // Write regions of blocks that are no neighbours must not meet.
  for (let i = 0; i + 2 < starts.length; i++) {
    const shared =
      (starts[i] as number) +
      block -
      (after[i] as number) -
      ((starts[i + 2] as number) + (before[i + 2] as number));
    if (shared <= 0) continue;
    after[i]! += Math.floor(shared / 2);
    before[i + 2]! += shared - Math.floor(shared / 2);
  }
  const blocks = starts.map((start, i) => {
    const last = i === starts.length - 1;
    const overlap = i === 0 ? 0 : block - (strides[i - 1] as number);
    return {
      start: start * grid,
      end: last ? size : (start + block) * grid,
      writeStart: (start + (before[i] as number)) * grid,
      writeEnd: last ? size : (start + block - (after[i] as number)) * grid,
      responsibleFrom: i === 0 ? 0 : (overlap - (after[i - 1] as number) - (before[i] as number)) * grid,
      first: i === 0,
      last,
    };
  });
  // Short strides need so much extra context that neighbours share too little; the reference stops at an assertion then.
  const shared = blocks.slice(1).map((block, i) => (blocks[i] as Block).writeEnd - block.writeStart);
  const alone = blocks.slice(2).every((block, i) => (blocks[i] as Block).writeEnd <= block.writeStart);
  if (!alone || shared.some((pixels) => pixels < minOverlap))
    throw new SegmentationError(
      "invalid_argument",
      `blocks of ${blockSize} px with an overlap of ${minOverlap} and a context of ${context} do not cover ${size} px; use larger blocks`,
    );
  return blocks;
}

function wholeAxis(size: number): Block {
  return { start: 0, end: size, writeStart: 0, writeEnd: size, responsibleFrom: 0, first: true, last: true };
}

/**
 * Is the block responsible for an object that covers [`from`, `to`) of its write region? Of the blocks of a chain exactly one is, as long as
 * objects are smaller than the overlap.
 *
 * @returns "too-large" when the object breaks that rule: another block sees a part of it too, and none all of it. An axis of one block
 * has no such objects, where the reference refuses those that span it.
 */
export function isResponsible(block: Block, from: number, to: number): boolean | "too-large" {
  const end = block.writeEnd - block.writeStart;
  if (block.first && block.last) return true;
  if (from === 0 && to >= block.responsibleFrom && (to === end || !block.first)) return "too-large";
  if (to < block.responsibleFrom) return false;
  return to < end || block.last;
}
