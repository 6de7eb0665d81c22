import t from 'tap';
import { createDependencyResolver, resolveSecret } from '../../src/content/resolve-dependency.ts';
import { defaultEntryPolicy } from '../../src/store/entry.ts';
import { secretConfig } from '../support/render-fixture.ts';

const secrets = [{ ...secretConfig('db'), path: 'database/creds/app', overlapMs: 5000 }];
const resolve = createDependencyResolver({ secrets, defaultUpstream: 'vault' });

t.test('a name means its reference and policy', (t) => {
  t.match(resolve({ kind: 'name', path: 'db', parameters: {} }, undefined), {
    key: 'vault:read database/creds/app',
    policy: { overlapMs: 5000 },
  });
  t.match(resolve({ kind: 'name', path: 'nope', parameters: {} }, undefined), { problem: /"nope"/ });
  t.end();
});

t.test('a raw path means the default upstream and policy, or those of the secret that it is', (t) => {
  t.match(resolve({ kind: 'read', path: 'secret/app', parameters: { version: '2' } }, undefined), {
    key: 'vault:read secret/app?version=2',
    policy: defaultEntryPolicy,
  });
  t.match(resolve({ kind: 'read', path: 'database/creds/app', parameters: {} }, undefined), {
    policy: { overlapMs: 5000 },
  });
  t.match(resolve({ kind: 'list', path: 'secret/', parameters: {} }, 'other'), { key: 'other:list secret' });
  t.end();
});

t.test('a raw path with several upstreams and none named is a problem', (t) => {
  const several = createDependencyResolver({ secrets, defaultUpstream: undefined });
  t.match(several({ kind: 'read', path: 'secret/app', parameters: {} }, undefined), {
    problem: /which upstream/,
  });
  t.end();
});

t.test('what the config says to a write may be shown, and of a template what it says so of', async (t) => {
  const secret = {
    ...secretConfig('cert'),
    path: 'pki/issue/web',
    operation: 'write' as const,
    parameters: { common_name: 'a' },
  };
  t.match(resolveSecret(secret).reference, { shownParameters: ['common_name'] });
  const parameters = { common_name: 'b', password: 'c' };
  const asked = {
    kind: 'write',
    path: 'pki/issue/web',
    parameters,
    shownParameters: ['common_name'],
  } as const;
  t.match(resolve(asked, undefined), { reference: { shownParameters: ['common_name'] } });
});

t.test('a name is that name: signs of URLs in it mean nothing', async (t) => {
  const secret = { ...secretConfig('odd'), path: 'secret/app?prod' };
  const pinned = { ...secretConfig('pinned'), path: 'secret/app?version=2' };
  t.match(resolveSecret(secret).reference, { path: 'secret/app?prod', parameters: {} });
  t.match(resolveSecret(pinned).reference, { path: 'secret/app', parameters: { version: '2' } });
  const literal = { ...pinned, isPathLiteral: true };
  t.match(resolveSecret(literal).reference, { path: 'secret/app?version=2', parameters: {} });
  const resolve = createDependencyResolver({ secrets: [], defaultUpstream: 'vault' });
  for (const path of ['secret/data/app?prod', 'secret/data/a%3Fb', 'secret/data/a#b?version=1'])
    t.match(resolve({ kind: 'read', path, parameters: {} }, undefined), {
      reference: { path, parameters: {} },
    });
});
