import { createServer } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { describeError } from '../../../src/base/errors.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { testFolder } from '../../support/test-folder.ts';

t.test('what is no agent is told so, without a word of what it answers', async (t) => {
  let answer = '';
  const server = createServer((_request, response) => response.end(answer));
  const socket = join(testFolder(t, 0o700), 's.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => server.close());
  const source = await startKindSource(t, { kind: 'agent', socket });
  for (const body of [
    'hunter2-secret',
    '{"data":{"value":"hunter2-secret',
    '{"data":{"value":hunter2-secret}}',
    '["hunter2-secret"]',
    '{"data":"hunter2-secret"}',
    `{"data":{${Array.from({ length: 30_000 }, (_, index) => `"hunter2-secret-${index}":1`).join(',')}}}`,
    `"hunter2-secret${'x'.repeat(17 * 1024 * 1024)}`,
    '',
  ]) {
    answer = body;
    const error = await source.read('app').then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    t.match(error, { code: 'upstream_answer_invalid' }, body.slice(0, 40));
    t.notMatch(describeError(error), /hunter2|ecret/);
  }
});
