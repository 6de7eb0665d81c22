// Access to the key is taken from the refund worker, and given back, by its rule in the agent's config and a reload.
import { type DemoStage, refundWorker } from './demo-stage.ts';
import type { AccessView } from './demo-view.ts';

export interface AccessScene {
  /** Takes it, or gives it back; ends when a call of the worker was decided by the new rule. */
  change(): Promise<void>;
  view(): AccessView;
}

export function createAccessScene(stage: DemoStage): AccessScene {
  const { payments, until } = stage;
  let tookMs: number | null = null;
  return {
    async change() {
      const mayRead = !stage.refundsMayRead();
      const begin = performance.now();
      await stage.setRefundsAccess(mayRead);
      const isDenied = (): boolean => payments.calls(refundWorker).deniedSince !== undefined;
      await until('the refund worker asks', async () => isDenied() !== mayRead);
      tookMs = performance.now() - begin;
    },
    view: () => ({ isTaken: !stage.refundsMayRead(), denied: payments.calls(refundWorker).denied, tookMs }),
  };
}
