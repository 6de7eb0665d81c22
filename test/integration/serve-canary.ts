import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { createAuditLog } from '../../src/audit/audit-log.ts';
import { LatchkeyError } from '../../src/base/errors.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { recordLogs } from '../support/record-logs.ts';
import { ask, portOf, startServing, tcpListener, unixListener } from '../support/serving.ts';
import { loadCredential } from '../support/systemd-client.ts';

const canary = 'CANARY-9c1e77';

t.test('no value is in any log, audit line, metric, error or status', async (t) => {
  const { logger, lines } = recordLogs();
  const file = join(t.testdir(), 'audit.jsonl');
  const settings = { file, onFailure: 'deny', maxBytes: 0, keepFiles: 0 } as const;
  const serving = await startServing({
    logger,
    audit: createAuditLog({ settings, clock: createSystemClock(), logger }),
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock')),
      tcpListener(join(folder, 'token')),
      unixListener(join(folder, 'credentials.sock'), ['systemd'], { place: 'listeners[2]' }),
    ],
    view: {
      refresh: () => Promise.reject(new Error(`could not parse ${canary}`)),
      reload: () => Promise.reject(new TypeError(canary)),
    },
  });
  t.teardown(() => serving.close());
  const key = serving.put('stripe', {
    key: canary,
    [`field-${canary.length}`]: canary,
    nested: { deep: [canary] },
  });
  serving.put('huge', { key: canary.repeat(100_000) });
  serving.put(
    'broken',
    { key: canary },
    {
      content: { form: 'vault', body: SecretValue.fromText(`{"data": ${canary}`), shape: 'flat' },
    },
  );
  const port = portOf(serving.server, 'listeners[1]');
  const token = readFileSync(join(serving.folder, 'token'), 'utf8');
  const unlawful: string[] = [];
  for (const over of [
    { socketPath: serving.socketPath },
    { port },
    { port, headers: { authorization: token } },
  ]) {
    const mayHave = !('port' in over) || 'headers' in over;
    for (const [method, path] of [
      ...['/secrets/stripe', '/secrets/stripe/key'].map((path) => ['GET', path]),
      ...[
        '/secrets',
        '/secrets/stripe/ghost',
        '/secrets/broken',
        '/secrets/broken/key',
        '/status',
        '/metrics',
        '/who-has/stripe',
        '/readyz',
        '/x',
      ].map((path) => ['GET', path]),
      ...['/refresh', '/reload', '/access/test', '/secrets/stripe'].map((path) => ['POST', path]),
    ] as [string, string][]) {
      const answer = await ask(path, { ...over, method });
      const isLawful = mayHave && method === 'GET' && /^\/secrets\/stripe(\/key)?$/.test(path);
      if (isLawful) t.match(answer.text, canary, `${path} is served`);
      else if (`${answer.text}${inspect(answer.headers)}`.includes(canary))
        unlawful.push(`${method} ${path}`);
    }
  }
  await loadCredential(join(serving.folder, 'credentials.sock'), 'a.service', 'stripe.key');
  await loadCredential(join(serving.folder, 'credentials.sock'), 'a.service', 'huge');
  serving.store.fail(key, new LatchkeyError('upstream_sealed', 'sealed'), 'expired');
  unlawful.push(
    ...((await ask('/secrets/stripe', { socketPath: serving.socketPath })).text.includes(canary)
      ? ['expired']
      : []),
  );
  t.strictSame(unlawful, []);
  const logged = lines.map(({ message, fields }) => `${message} ${inspect(fields, { depth: 9 })}`);
  t.ok(logged.length > 0);
  for (const [what, text] of [
    ['the log', logged.join('\n')],
    ['the audit file', readFileSync(file, 'utf8')],
    ['the metrics', serving.registry.render()],
    ['the ledger', inspect(serving.ledger.whoHas(key), { depth: 9 })],
    ['the status', inspect(serving.server.status(), { depth: 9 })],
  ] as const) {
    t.notMatch(text, canary, what);
    t.notMatch(text, token, `${what}: nor the listener’s token`);
  }
});
