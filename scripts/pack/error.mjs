/** Why a package cannot be packed: for the person at the terminal, without a stack. */
export class PackError extends Error {}
