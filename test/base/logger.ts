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
