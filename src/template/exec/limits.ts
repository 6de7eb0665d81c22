// The bounds of an execution, so that no template and no value can hold up the agent.
import type { Limits } from './function-table.ts';

const MiB = 1024 * 1024;

export const defaultLimits: Limits = {
  steps: 2_000_000,
  // The event loop is held meanwhile, and one call of a function may still go on past it.
  processorMs: 600,
  outputBytes: 16 * MiB,
  stringBytes: 16 * MiB,
  // As Go's.
  templateDepth: 100_000,
  valueDepth: 300,
  dependencies: 10_000,
};
