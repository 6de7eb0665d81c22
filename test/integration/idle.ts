// An agent with nothing due does nothing: no timer of its own wakes it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const watchedMs = 6000;
/** The look for a clock that jumped, every 5 s: twice at most, and what the threads of the runtime do beside. */
const mostWakes = 6;

/** How often the threads of a process went to sleep: each timer that fires is one more. */
function sleepsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    return sum + Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
  }, 0);
}

t.test('an agent at rest with 300 files is not woken', { skip: skipReason() }, async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'w' });
  const agent = startAgent(t, {
    folder,
    vault,
    upstream: { events: false },
    config: {
      secrets: { app: { path: 'secret/app', refresh: '1h' } },
      files: Array.from({ length: 300 }, (_, index) => ({
        contents: `{{ field "app" "word" }} ${index}`,
        destination: join(folder, 'out', `${index}`),
        create_parents: true,
      })),
      processes: [{ name: 'sleeper', command: ['sleep', '600'] }],
    },
  });
  await agent.untilReady();
  // What the start left to do (memory given back, connections that end) is over when it has slept through a second.
  await waitFor('the agent is at rest', async () => {
    const before = sleepsOf(agent.pid);
    await delay(1000);
    return sleepsOf(agent.pid) - before <= 1;
  });
  // What is woken by itself is so each time; what somebody else did to it is not.
  const woken: number[] = [];
  while (woken.length < 4 && Math.min(...woken) > mostWakes) {
    const before = sleepsOf(agent.pid);
    await delay(watchedMs);
    woken.push(sleepsOf(agent.pid) - before);
  }
  t.ok(Math.min(...woken) <= mostWakes, `woken ${woken.join(', ')} times in ${watchedMs / 1000} s each`);
});

function skipReason(): string | false {
  return process.platform === 'linux' ? false : 'counts sleeps in /proc';
}
