// Where nothing may be served that is not recorded, no caller makes upstream be asked either by a request that cannot be.
import { join } from 'node:path';
import t from 'tap';
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
