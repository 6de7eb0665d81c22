// Killed with -9 at random moments while values rotate every 50 ms: every destination is always whole.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

const kills = Number(process.env['LATCHKEY_TEST_KILLS'] ?? 100);

const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

t.test(`${kills} kills leave every destination whole`, async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const value = (count: number) => String(count).padStart(8, '0').repeat(2000);
  await vault.writeSecret('secret/app', { word: value(0) });
  const destinations = ['a', 'b', 'c'].map((name) => join(folder, `${name}.conf`));
  const config = {
    secrets: { app: { path: 'secret/app', refresh: '100ms' } },
    files: destinations.map((destination) => ({
      contents: 'begin {{ field "app" "word" }} end\n',
      destination,
    })),
  };
  const whole = /^begin (\d{8})\1{1999} end\n$/;
  const check = () =>
    destinations.filter((file) => existsSync(file) && !whole.test(readFileSync(file, 'utf8')));

  let count = 0;
  let isRotating = true;
  const rotating = (async () => {
    while (isRotating) {
      count += 1;
      await vault.writeSecret('secret/app', { word: value(count) });
      await delay(50);
    }
  })();
  const torn: string[] = [];
  let written = 0;
  for (let i = 0; i < kills; i += 1) {
    const agent = startAgent(t, { folder, vault, config });
    const before = destinations.map(read);
    // One in four while it starts, the others soon after it has begun to write.
    const isEarly = i % 4 === 0;
    await delay(Math.random() * (isEarly ? 400 : 100));
    if (!isEarly) {
      await waitFor('the agent to write', () =>
        destinations.some((file, index) => read(file) !== before[index]),
      );
      await delay(Math.random() * 60);
    }
    process.kill(agent.pid, 'SIGKILL');
    await agent.exited;
    torn.push(...check());
    if (destinations.some((file, index) => read(file) !== before[index])) written += 1;
  }
  isRotating = false;
  await rotating;
  t.strictSame(torn, []);
  t.ok(written > kills / 4, `the agent was at work when it was killed (${written} of ${kills})`);

  const last = startAgent(t, { folder, vault, config });
  await last.untilReady();
  await waitFor('the last value', () => readFileSync(destinations[0] ?? '', 'utf8').includes(value(count)));
  await last.stop();
  const leftovers = readdirSync(folder).filter(
    (name) => !/^(?:[abc]\.conf|latchkey\.yaml|agent\.log|state)$/.test(name),
  );
  t.strictSame(leftovers, [], 'nothing staged, no socket is left');
});
