// Eight secrets of one file, polled each at its own time, that are all changed at once: one commit, one notification.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const names = Array.from({ length: 8 }, (_, index) => `s${index}`);

t.test('secrets that are changed together are taken over together', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const writeAll = async (value: string) => {
    await Promise.all(names.map((name) => vault.writeSecret(`secret/${name}`, { v: value })));
  };
  await writeAll('one');
  const [app, told] = [join(folder, 'app.conf'), join(folder, 'told')];
  const agent = startAgent(t, {
    folder,
    vault,
    // Without events each is found by its own poll.
    upstream: { events: false },
    config: {
      secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh: '4s' }])),
      files: [
        {
          contents: names.map((name) => `{{ field "${name}" "v" }}`).join(' '),
          destination: app,
          notify: { command: ['sh', '-c', `cat ${app} >> ${told}; echo >> ${told}`] },
        },
      ],
    },
  });
  await agent.untilReady();
  await waitFor(
    'the first notification',
    () => existsSync(told) && readFileSync(told, 'utf8').endsWith('\n'),
  );
  const lines = () => readFileSync(told, 'utf8').split('\n').slice(0, -1);
  const all = (word: string) => names.map(() => word).join(' ');
  t.strictSame(lines(), [all('one')]);
  // Where the machine is busy they may be written, or read, further apart than the agent waits for more of them.
  const counts: number[] = [];
  for (const word of ['two', 'three', 'four', 'five']) {
    const before = lines().length;
    await writeAll(word);
    await waitFor(`all of ${word}`, () => lines().at(-1) === all(word));
    await agent.ask('/refresh', { method: 'POST' });
    t.equal(lines().at(-1), all(word));
    counts.push(lines().length - before);
    if (Math.min(...counts) <= 2) break;
  }
  t.ok(
    Math.min(...counts) <= 2,
    `one notification, or two where a poll fell between the writes: ${counts.join(', ')}`,
  );
});
