// What the first line of the program sets for the allocator of this process: the C library has read it when we begin.

/** One arena, and memory that is free goes back: docs/BENCHMARKS.md has what they save. */
export const allocatorSettings = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '65536',
  MALLOC_MMAP_THRESHOLD_: '65536',
} as const;

/** Programs that get the whole environment have threads and allocators of their own. Somebody's own settings stay. */
export function takeOutAllocatorSettings(env: NodeJS.ProcessEnv): void {
  const settings = Object.entries(allocatorSettings);
  if (settings.every(([name, value]) => env[name] === value)) for (const [name] of settings) delete env[name];
}
