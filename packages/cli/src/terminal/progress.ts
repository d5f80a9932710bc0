import { formatCount, formatSeconds, printable } from "./text.ts";

/** How far a step is. */
export interface StepState {
  readonly done: number;
  readonly total: number;
  readonly unit: string;
  readonly message: string;
}

/** Shows one step at a time: a live line on a terminal, a line now and then in a log. */
export interface ProgressLine {
  update(state: StepState): void;
  /** Replace the live line by a final one. */
  finish(text: string): void;
}

/** Redraws at most this often, in ms. */
const drawIntervalMs = 100;

/** Without a terminal: one line at most this often, in ms. */
const logIntervalMs = 5_000;

const barWidth = 24;

/** Begin to show a step on stderr, so that stdout stays for results. */
export function startProgress(title: string, stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  const began = Date.now();
  let state: StepState = { done: 0, total: 0, unit: "", message: "" };
  // Where this began to look: a step that is watched from its middle, or taken up again, has not done all of it in the time seen.
  let from: { done: number; at: number } | undefined;
  const live = stream.isTTY === true;
  // A log gets its first line only from a step that takes long enough to wonder about.
  let drawn = live ? 0 : Date.now();
  const draw = () => {
    const text = describe(title, state, Date.now() - began, from);
    if (live) stream.write(`\r\u001b[2K${text.slice(0, Math.max(20, (stream.columns ?? 100) - 1))}`);
    else stream.write(`${text}\n`);
    drawn = Date.now();
  };
  const timer = live ? setInterval(draw, 1_000) : undefined;
  timer?.unref();
  if (live) draw();
  return {
    update(next) {
      if (next.total > 0 && (from === undefined || next.done < state.done))
        from = { done: next.done, at: Date.now() };
      state = next;
      if (Date.now() - drawn >= (live ? drawIntervalMs : logIntervalMs)) draw();
    },
    finish(text) {
      clearInterval(timer);
      stream.write(live ? `\r\u001b[2K${text}\n` : `${text}\n`);
    },
  };
}

function describe(
  title: string,
  { done, total, unit, message }: StepState,
  elapsedMs: number,
  from: { done: number; at: number } | undefined,
): string {
  const elapsed = formatSeconds(elapsedMs);
  const what = message === "" ? "" : `  ${printable(message)}`;
  if (total <= 0) return `${title}  ${done > 0 ? `${formatCount(done)} ${unit}` : ""}${what}  ${elapsed}`;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * barWidth);
  const seen = from === undefined ? 0 : done - from.done;
  const left =
    from !== undefined && seen / total > 0.02 && done < total
      ? `, ${formatSeconds(((Date.now() - from.at) / seen) * (total - done))} left`
      : "";
  return `${title}  ${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${Math.floor(share * 100)}%  ${formatCount(done)} / ${formatCount(total)} ${unit}${what}  ${elapsed}${left}`;
}
