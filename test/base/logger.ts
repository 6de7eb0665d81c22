import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createLogger } from '../../src/base/logger.ts';
import { testFolder } from '../support/test-folder.ts';

t.test('a log on a full disk ends nothing, and its lines come when there is room', async (t) => {
  const file = join(testFolder(t), 'agent.log');
  symlinkSync('/dev/full', file);
  const said = t.capture(process.stderr, 'write', () => true);
  const { logger, reopen } = createLogger({ level: 'info', format: 'json', file });
  for (let line = 0; line < 3; line++) t.doesNotThrow(() => logger.info({ line }, 'lost'));
  t.equal(said().length, 1, 'stderr says so once');
  rmSync(file);
  writeFileSync(file, '');
  reopen();
  await new Promise((resolve) => setImmediate(resolve));
  logger.info({}, 'here');
  t.match(readFileSync(file, 'utf8'), /"msg":"here"/);
});

t.test('a log that is opened again while a reload is prepared goes on', async (t) => {
  const folder = testFolder(t);
  const file = join(folder, 'agent.log');
  const settings = { level: 'info', format: 'json', file } as const;
  const log = createLogger(settings);
  const same = log.prepare({ ...settings, level: 'debug' });
  const moved = log.prepare({ ...settings, file: join(folder, 'moved.log') });
  log.reopen();
  log.reopen();
  await same.commit();
  t.doesNotThrow(() => log.logger.debug({}, 'after the same'));
  log.reopen();
  await moved.commit();
  t.doesNotThrow(() => log.logger.info({}, 'after another'));
  const given = log.prepare(settings);
  log.reopen();
  await given.abandon();
  t.doesNotThrow(() => log.logger.info({}, 'after what was given up'));
  t.match(readFileSync(file, 'utf8'), /after the same/);
  t.match(readFileSync(join(folder, 'moved.log'), 'utf8'), /after another[\s\S]*after what was given up/);
});
