// Where nothing may be served that is not recorded, no caller makes upstream be asked either by a request that cannot be.
import { join } from 'node:path';
import t from 'tap';
import type { AuditEntry } from '../../src/audit/audit-line.ts';
import { createSilentAudit } from '../../src/audit/audit-log.ts';
import { LatchkeyError } from '../../src/base/errors.ts';
import { ask, startServing, unixListener } from '../support/serving.ts';

t.test('nothing is asked upstream for a request that cannot be recorded', async (t) => {
  const asked: string[] = [];
  const note = (what: string) => () => {
    asked.push(what);
    return Promise.reject(new LatchkeyError('upstream_unavailable', 'not in this test'));
  };
  let isFailing = true;
  const anySecret = { upstream: 'aws', ttlMs: 60_000, cacheSize: 10, servesStale: true, pathPrefix: '/any/' };
  const serving = await startServing({
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock'), ['secrets', 'vault', 'aws', 'admin'], { anySecret }),
    ],
    audit: {
      ...createSilentAudit(),
      append: (_entry, recipient) =>
        recipient.recorded(isFailing ? new LatchkeyError('audit_failed', 'no space') : undefined),
    },
    view: {
      refresh: note('refresh'),
      rotate: note('rotate'),
      awsSecret: note('aws'),
      forward: note('forward'),
    },
  });
  t.teardown(serving.close);
  serving.put('stripe', { key: 'k' });
  const requests: readonly (readonly [method: string, path: string, asks: string])[] = [
    ['GET', '/v1/sys/mounts', 'forward'],
    ['POST', '/v1/database/rotate-root/app', 'forward'],
    ['GET', '/secretsmanager/get?secretId=some/other', 'aws'],
    ['GET', '/any/some/third', 'aws'],
    ['GET', '/any/some/third?refreshNow=true', 'aws'],
    ['GET', '/secretsmanager/get?secretId=stripe&refreshNow=true', 'refresh'],
    ['POST', '/refused/stripe', 'refresh'],
    ['POST', '/refresh?name=stripe', 'refresh'],
    ['POST', '/rotate/stripe', 'rotate'],
  ];
  for (const [method, path] of requests) {
    t.equal((await ask(path, { ...serving, method })).status, 503, `${method} ${path}`);
    t.strictSame(asked, [], path);
  }
  isFailing = false;
  for (const [method, path, asks] of requests.filter(([, one]) => !one.startsWith('/refused'))) {
    await ask(path, { ...serving, method });
    t.strictSame(asked.splice(0), [asks], `${method} ${path} asks once it can be recorded`);
  }
});

t.test('no value goes out unrecorded, from whatever is prepared for it', async (t) => {
  let isFailing = false;
  const lines: AuditEntry[] = [];
  const serving = await startServing({
    listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['secrets', 'vault', 'aws'])],
    audit: {
      ...createSilentAudit(),
      append(entry, recipient) {
        if (!isFailing) lines.push(entry);
        recipient.recorded(isFailing ? new LatchkeyError('audit_failed', 'no space') : undefined);
      },
    },
  });
  t.teardown(serving.close);
  serving.put('stripe', { access_key_id: 'canary-value', secret_access_key: 'canary-value' });
  const paths = [
    '/secrets/stripe',
    '/secrets/stripe/access_key_id',
    '/v1/latchkey/data/stripe',
    '/secretsmanager/get?secretId=stripe',
    '/systemsmanager/parameters/get?name=/stripe',
    '/credentials/aws/stripe',
  ];
  for (const path of paths) {
    // What is prepared by the first is what the second gets.
    for (const time of ['first', 'second']) {
      t.match(await ask(path, serving), { status: 200, text: /canary-value/ }, `${path}, the ${time} time`);
      t.match(lines.pop(), { name: 'stripe', isAllowed: true, status: 200 });
    }
    isFailing = true;
    const refused = await ask(path, serving);
    t.equal(refused.status, 503, path);
    t.notMatch(refused.text, 'canary-value', path);
    isFailing = false;
  }
});
