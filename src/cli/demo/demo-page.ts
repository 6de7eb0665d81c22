// The demo as a page: what there is to see goes out four times a second while somebody looks, what is clicked comes in.
import { type PageServer, startPageServer } from '../ui/page-server.ts';
import { createDemoPlay, type DemoAction } from './demo-play.ts';
import type { DemoStage } from './demo-stage.ts';
import { startHardCodedSide } from './hard-coded-side.ts';

const everyMs = 250;

export async function startDemoPage(stage: DemoStage, signal: AbortSignal): Promise<PageServer> {
  const hardCodedSide = await startHardCodedSide(stage, signal);
  const play = createDemoPlay({ stage, hardCodedSide, signal });
  const watchers = new Set<(event: string, data: string) => void>();

  const timer = setInterval(async () => {
    if (watchers.size === 0) return;
    await play.look().catch(() => undefined); // the agent is about to end: what it said last stays
    const data = JSON.stringify(play.view());
    for (const tell of watchers) tell('view', data);
  }, everyMs);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });

  const act = (action: DemoAction) => async (): Promise<unknown> => ({ begun: play.begin(action) });
  return startPageServer({
    name: 'demo',
    command: 'latchkey demo',
    port: 0,
    watch(tell) {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    questions: {},
    actions: {
      '/rotate': act('rotate'),
      '/leak': act('leak'),
      '/access': act('access'),
      '/verify': act('verify'),
    },
  });
}
