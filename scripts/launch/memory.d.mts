export function smallMemory(env: NodeJS.ProcessEnv): { MALLOC_ARENA_MAX: string; NODE_OPTIONS: string };
