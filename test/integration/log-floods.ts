// The log against floods, and at run time.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const loggerPath = join(import.meta.dirname, '../../src/base/logger.ts');

/** Runs a script on a logger of its own; what it has logged. */
async function logged(file: string, script: string): Promise<Record<string, unknown>[]> {
  const code = `const { createLogger } = await import(${JSON.stringify(loggerPath)});
    const { logger } = createLogger({ level: 'info', format: 'json', file: ${JSON.stringify(file)} });
    ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  await new Promise((resolve) => child.once('close', resolve));
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

t.test('what says the same is told a few times, and then in one line with its number', async (t) => {
  const lines = await logged(
    join(testFolder(t), 'log'),
    `for (let round = 0; round < 1000; round += 1) {
      logger.warn({ secret: 'stripe', attempt: round }, 'it failed');
      if (round % 100 === 0) logger.warn({ secret: 'other' + round }, 'it failed');
      logger.child({ listener: 'a' }).warn({ secret: 'stripe', attempt: round }, 'it failed');
    }
    for (let round = 0; round < 20; round += 1) logger.info({ stream: 'stdout' }, 'a program says so');
    logger.info({}, 'the end');`,
  );
  const of = (secret: string) =>
    lines.filter((line) => line['secret'] === secret && line['listener'] === undefined);
  t.equal(of('stripe').filter((line) => line['repeated'] === undefined).length, 5);
  t.match(of('stripe').at(-1), {
    level: 40,
    repeated: 995,
    msg: 'it failed (and 995 times more in the last minute)',
  });
  for (let round = 0; round < 1000; round += 100)
    t.equal(of(`other${round}`).length, 1, 'another is no repetition');
  const ofChild = lines.filter((line) => line['listener'] === 'a');
  t.equal(ofChild.length, 6, 'a child has its own');
  t.equal(ofChild.at(-1)?.['repeated'], 995);
  t.equal(
    lines.filter((line) => line['stream'] === 'stdout').length,
    20,
    "a program's own words are all there",
  );
  t.ok(lines.some((line) => line['msg'] === 'the end'));
});

t.test('who asks tells lines apart, which process of theirs does not', async (t) => {
  const lines = await logged(
    join(testFolder(t), 'log'),
    `for (let round = 0; round < 100; round += 1)
      for (let uid = 1000; uid < 1010; uid += 1)
        logger.warn({ caller: { uid, gid: uid, pid: 10 * round + uid } }, 'refused');`,
  );
  for (let uid = 1000; uid < 1010; uid += 1) {
    const own = lines.filter((line) => (line['caller'] as { uid: number }).uid === uid);
    t.equal(own.length, 6, `uid ${uid}`);
    t.equal(own.at(-1)?.['repeated'], 95);
  }
});

t.test('ten thousand different lines are all told, and none is kept', async (t) => {
  const lines = await logged(
    join(testFolder(t), 'log'),
    `for (let round = 0; round < 10000; round += 1) logger.info({ name: 'n' + round }, 'said');`,
  );
  t.equal(lines.length, 10_000);
});

t.test('another level without another start', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'w' });
  const log = (level: string) => ({ level, format: 'json', file: join(folder, 'agent.log') });
  const agent = startAgent(t, {
    folder,
    vault,
    config: { secrets: { app: { path: 'secret/app' } }, log: log('error') },
  });
  await agent.untilReady();
  t.equal(agent.log(), '');
  const config = JSON.parse(readFileSync(agent.configPath, 'utf8'));
  writeFileSync(agent.configPath, JSON.stringify({ ...config, log: log('debug') }));
  agent.child.kill('SIGHUP');
  await waitFor('the reload', () => agent.log().includes('config was reloaded'));
  t.equal((await agent.ask('/readyz')).status, 200);
});

const mounts = missing('a file system of its own (root)', [
  ...['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=64k none /mnt'],
]);

t.test(
  'what a full disk leaves no room for is counted, and told when there is room',
  { skip: mounts },
  async (t) => {
    const folder = testFolder(t);
    const code = `import { rmSync, readFileSync, writeFileSync } from 'node:fs';
    const { createLogger } = await import(${JSON.stringify(loggerPath)});
    writeFileSync('ballast', Buffer.alloc(1024 * 1024 - 4096));
    const log = createLogger({ level: 'info', format: 'json', file: process.cwd() + '/log' });
    for (let round = 0; round < 1000; round += 1) log.logger.info({ name: 'n' + round, path: 'x'.repeat(1000) }, 'said');
    if (log.trouble() === undefined) throw new Error('the disk was not full');
    rmSync('ballast');
    log.logger.info({}, 'first');
    log.logger.info({}, 'the end');
    process.stdout.write(readFileSync('log'));`;
    const mounted = 'mount -t tmpfs -o size=1m none "$1" && cd "$1" && shift && exec "$@"';
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', mounted, 'sh', folder, process.execPath, '--input-type=module', '-e', code],
      { encoding: 'utf8' },
    );
    t.equal(status, 0, stderr);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const told = lines.find((line) => line['event'] === 'log.lost');
    const here = lines.filter((line) => line['msg'] === 'said').length;
    t.ok(here > 100, String(here));
    t.equal(here + Number(told?.['lost']), 1000);
    t.equal(lines.at(-1)?.['msg'], 'the end');
    t.equal(stderr.match(/cannot be written \(ENOSPC\)/g)?.length, 1, stderr);
  },
);
