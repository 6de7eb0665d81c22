// The log against floods, at run time, and for the journal.
import { spawn } from 'node:child_process';
import { fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
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
  t.equal(lines.filter((line) => line['listener'] === 'a').length, 5, 'a child has its own');
  t.equal(
    lines.filter((line) => line['stream'] === 'stdout').length,
    20,
    "a program's own words are all there",
  );
  t.ok(lines.some((line) => line['msg'] === 'the end'));
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

t.test('lines have priorities where stderr is the journal, and only there', async (t) => {
  const file = join(testFolder(t), 'stream');
  const descriptor = openSync(file, 'w');
  const { dev, ino } = fstatSync(descriptor);
  const code = `const { createLogger } = await import(${JSON.stringify(loggerPath)});
    const { logger } = createLogger({ level: 'debug', format: 'json' });
    logger.debug({}, 'd'); logger.info({}, 'i'); logger.warn({}, 'w'); logger.error({}, 'e');`;
  for (const stream of [`${dev}:${ino}`, `${dev}:1`]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'inherit', descriptor],
      env: { ...process.env, JOURNAL_STREAM: stream },
    });
    await new Promise((resolve) => child.once('close', resolve));
  }
  const starts = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.slice(0, 4));
  t.strictSame(starts, ['<7>{', '<6>{', '<4>{', '<3>{', '{"le', '{"le', '{"le', '{"le']);
});
