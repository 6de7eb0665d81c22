// The gate of a kind whose state its own answers tell: places and counts, without a look-up of its own.
import type { LimitsConfig } from '../../config/upstreams/limits.ts';
import type { BudgetLimits } from '../gate/budget.ts';
import { createGate, type Gate } from '../gate/gate.ts';
import type { SourceOptions } from '../secret-source.ts';

export function createKindGate(options: SourceOptions<LimitsConfig>, limits: BudgetLimits): Gate {
  return createGate({
    ...options,
    limits,
    allowed: options.config,
    probe: async () => undefined,
    onChange: () => undefined,
  });
}
