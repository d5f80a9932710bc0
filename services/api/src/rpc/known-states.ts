import { throwViolations } from "../errors.ts";

/** Names of the states of a filter. Throws `invalid_argument` that lists the unknown ones. */
export function knownStates<S, N extends string>(
  states: readonly S[],
  nameOf: (state: S) => N | undefined,
): N[] {
  const names = states.map((state) => nameOf(state));
  throwViolations(
    "the request",
    names.flatMap((name, i) =>
      name === undefined
        ? [{ field: `states[${i}]`, description: `no state has the number ${states[i]}` }]
        : [],
    ),
  );
  return names.filter((name) => name !== undefined);
}
