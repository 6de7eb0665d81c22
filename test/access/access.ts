import t from 'tap';
import { createAccess } from '../../src/access/access.ts';
import type { Caller } from '../../src/access/caller.ts';

const caller: Caller = {
  kind: 'process',
  uid: 1000,
  gid: 1000,
  groups: [],
  pid: 1,
  startTime: '1',
  exe: undefined,
  unit: undefined,
  container: undefined,
  isForeign: false,
};
const accounts = { uidOf: () => undefined, gidOf: () => undefined };
const allowing = {
  strict: false,
  rules: [{ name: 'r', client: { uid: 1000 }, allow: ['a*'], vault: [], admin: false }],
};

t.test('a replaced policy holds for the very next decision and its listeners are told', (t) => {
  const access = createAccess({ rules: allowing, accounts, ownUid: 1 });
  let changes = 0;
  const stop = access.onChange(() => {
    changes += 1;
  });
  t.ok(access.decideSecret(caller, 'a').isAllowed);
  t.ok(access.decideSecret(caller, 'a').isAllowed, 'remembered');
  access.replace({ rules: [], strict: false });
  t.notOk(access.decideSecret(caller, 'a').isAllowed);
  access.replace(allowing);
  t.ok(access.decide(caller, { kind: 'secret', name: 'a' }).isAllowed);
  stop();
  access.replace(allowing);
  t.equal(changes, 2);
  t.end();
});

t.test('remembers no more than a bounded number of made-up names', (t) => {
  const access = createAccess({ rules: allowing, accounts, ownUid: 1 });
  for (let index = 0; index < 10_000; index += 1) access.decideSecret(caller, `a${index}`);
  t.ok(access.decideSecret(caller, 'a1').isAllowed);
  t.notOk(access.decideSecret(caller, 'b1').isAllowed);
  t.end();
});

t.test('an answer about a name is none about a path that is spelled alike', (t) => {
  const rule = {
    name: 'r',
    client: { uid: 1000 },
    vault: [{ path: 'kv/a', methods: ['GET'] }],
    admin: false,
  };
  const access = createAccess({
    rules: { strict: false, rules: [{ ...rule, allow: ['*'] }] },
    accounts,
    ownUid: 1,
  });
  t.ok(access.decideSecret(caller, 'DELETE\nkv/a').isAllowed);
  t.notOk(access.decide(caller, { kind: 'vault', method: 'DELETE', path: 'kv/a' }).isAllowed);
  access.replace({ strict: false, rules: [{ ...rule, allow: [] }] });
  t.ok(access.decide(caller, { kind: 'vault', method: 'GET', path: 'kv/a' }).isAllowed);
  t.notOk(access.decideSecret(caller, 'GET\nkv/a').isAllowed);
  t.end();
});

t.test('explains with the decision and every rule', (t) => {
  const access = createAccess({ rules: allowing, accounts, ownUid: 1 });
  const { decision, rules } = access.explain(caller, { kind: 'secret', name: 'b' });
  t.equal(decision.isAllowed, false);
  t.match(rules, [{ rule: 'r', matchesCaller: true, allows: false }]);
  t.end();
});
