import t from 'tap';
import { comparePatterns, createAcl } from '../../src/policy/acl-policy.ts';
import { parsePolicy } from '../../src/policy/policy-language.ts';

t.test('orders patterns as documented', async (t) => {
  const pairs: [better: string, worse: string][] = [
    ['secret/app/*', 'secret/*'],
    ['secret/app/+', 'secret/+/x'],
    ['secret/+/x', 'secret/+/*'],
    ['secret/+/x', 'secret/+/+'],
    ['secret/appl*', 'secret/app*'],
  ];
  for (const [better, worse] of pairs) {
    t.ok(comparePatterns(better, worse) > 0, `${better} over ${worse}`);
    t.ok(comparePatterns(worse, better) < 0);
  }
});

t.test('adds up rules of the same path over policies', async (t) => {
  const acl = createAcl([
    ...parsePolicy('path "a/*" { capabilities = ["read"] }'),
    ...parsePolicy('path "a/*" { capabilities = ["list"] }'),
    ...parsePolicy('path "b" { capabilities = ["read"] } path "b" { capabilities = ["deny"] }'),
  ]);
  t.strictSame(acl.capabilities('a/x'), ['list', 'read']);
  t.strictSame(acl.capabilities('b'), ['deny']);
  t.strictSame(acl.capabilities('c'), ['deny']);
});

t.test('knows whether anything below a mount is allowed', async (t) => {
  const acl = createAcl(
    parsePolicy(
      'path "secret/data/a" { capabilities = ["read"] } path "+/x/*" { capabilities = ["read"] } path "no/a" { capabilities = ["deny"] }',
    ),
  );
  t.ok(acl.reachesInto('secret/'));
  t.ok(acl.reachesInto('other/'));
  t.notOk(createAcl(parsePolicy('path "no/a" { capabilities = ["deny"] }')).reachesInto('no/'));
});
