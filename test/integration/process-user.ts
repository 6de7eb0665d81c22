// Children of another user, as only root can start them: all ids, supplementary groups, no way to more privileges.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { ProcessConfig } from '../../src/config/resolved.ts';
import { createSupervisor } from '../../src/supervise/supervisor.ts';
import { createTestEnvironment, processConfig, readWhenThere } from '../support/test-environment.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const canSwitch =
  process.getuid?.() === 0 &&
  spawnSync('setpriv', ['--help'], { encoding: 'utf8' }).stdout?.includes('--pdeathsig') === true;
const skip = canSwitch ? false : 'needs root and setpriv';
const id = (...words: string[]) => spawnSync('id', words, { encoding: 'utf8' }).stdout.trim();

async function statusOfChild(t: Test, changes: Partial<ProcessConfig>) {
  const folder = testFolder(t, 0o777);
  const file = join(folder, 'out');
  const supervisor = createSupervisor({
    processes: [
      processConfig({
        command: [
          'sh',
          '-c',
          `{ cat /proc/self/status; echo "HOME:$HOME $USER $LOGNAME $SHELL"; } > ${file}.new; mv ${file}.new ${file}; exec sleep 600`,
        ],
        ...changes,
      }),
    ],
    environmentOf: async () => () => createTestEnvironment({}),
    clock: createSystemClock(),
    random: () => 0,
    logger: silentLogger,
    env: process.env,
    valuesInUse: () => [],
  });
  t.teardown(() => supervisor.close({ signal: AbortSignal.abort() }));
  supervisor.start();
  const text = await waitFor('the status', () => readWhenThere(file) ?? supervisor.status()[0]?.message);
  return Object.fromEntries(
    text.split('\n').map((line) => [
      line.slice(0, line.indexOf(':')),
      line
        .slice(line.indexOf(':') + 1)
        .trim()
        .replaceAll(/\s+/g, ' '),
    ]),
  );
}

t.test('runs as the user with all his ids, his groups and his home', { skip }, async (t) => {
  const status = await statusOfChild(t, { user: 'nobody' });
  const [uid, gid] = [id('-u', 'nobody'), id('-g', 'nobody')];
  t.equal(status['Uid'], `${uid} ${uid} ${uid} ${uid}`);
  t.equal(status['Gid'], `${gid} ${gid} ${gid} ${gid}`);
  t.strictSame(status['Groups']?.split(' ').sort(), id('-G', 'nobody').split(' ').sort());
  t.equal(status['NoNewPrivs'], '1');
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) t.match(status[set], /^0+$/, set);
  t.match(status['HOME'], /nobody nobody/);
});

t.test('takes another group where one is named', { skip }, async (t) => {
  const status = await statusOfChild(t, { user: 'nobody', group: 'daemon' });
  const gid = id('-g', 'daemon');
  t.equal(status['Gid'], `${gid} ${gid} ${gid} ${gid}`);
});

t.test('gains no privileges as the own user either', { skip }, async (t) => {
  const status = await statusOfChild(t, {});
  t.equal(status['NoNewPrivs'], '1');
  t.match(status['Uid'], /^0 0/);
});
