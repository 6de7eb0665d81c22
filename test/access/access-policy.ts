import t from 'tap';
import { type Ask, compilePolicy, decide, explainDecision } from '../../src/access/access-policy.ts';
import { type Caller, type ProcessCaller, unitCaller, unknownCaller } from '../../src/access/caller.ts';
import type { AccessRuleConfig } from '../../src/config/resolved.ts';

const accounts = {
  uidOf: (name: string) => ({ billing: 1000, php: 33 })[name],
  gidOf: (name: string) => ({ staff: 50, latchkey: 900 })[name],
};
const container = '0123456789ab'.padEnd(64, 'f');

function rule(
  name: string,
  client: AccessRuleConfig['client'],
  more: Partial<AccessRuleConfig> = {},
): AccessRuleConfig {
  return { name, client, allow: ['stripe'], vault: [], admin: false, ...more };
}

function process(more: Partial<ProcessCaller> = {}): ProcessCaller {
  return {
    kind: 'process',
    uid: 1000,
    gid: 100,
    groups: [50, 900],
    pid: 42,
    startTime: '7',
    exe: '/usr/bin/php',
    unit: 'billing.service',
    container: undefined,
    isForeign: false,
    ...more,
  };
}

function isAllowed(
  rules: AccessRuleConfig[],
  caller: Caller,
  ask: Ask = secret('stripe'),
  strict = false,
): boolean {
  return decide(compilePolicy({ rules, strict }, accounts, 500), caller, ask).isAllowed;
}

const secret = (name: string): Ask => ({ kind: 'secret', name });

t.test('without rules serves root and the agent’s own user, and nobody else', (t) => {
  t.ok(isAllowed([], process({ uid: 0 })));
  t.ok(isAllowed([], process({ uid: 500 })));
  t.notOk(isAllowed([], process()));
  t.ok(isAllowed([], process({ uid: 0 }), { kind: 'admin' }));
  t.notOk(isAllowed([], unknownCaller('gone')));
  t.end();
});

t.test('when strict asks root and the agent’s own user for a rule too', (t) => {
  t.notOk(isAllowed([], process({ uid: 0 }), secret('stripe'), true));
  t.notOk(isAllowed([], process({ uid: 500 }), secret('stripe'), true));
  t.ok(isAllowed([rule('root', { uid: 0 })], process({ uid: 0 }), secret('stripe'), true));
  t.end();
});

const matches: [string, AccessRuleConfig['client'], Caller, boolean][] = [
  ['a user by name', { user: 'billing' }, process(), true],
  ['another user', { user: 'php' }, process(), false],
  ['a user that does not exist', { user: 'ghost' }, process(), false],
  ['a uid', { uid: 1000 }, process(), true],
  ['uid 0 of a rule for nobody else', { uid: 0 }, process(), false],
  ['the primary group', { gid: 100 }, process(), true],
  ['a supplementary group by name', { group: 'latchkey' }, process(), true],
  ['a group that does not exist', { group: 'ghosts' }, process(), false],
  ['a foreign group', { gid: 7 }, process(), false],
  ['an executable', { exe: '/usr/bin/php' }, process(), true],
  [
    'an executable that was replaced',
    { exe: '/usr/bin/php' },
    process({ exe: '/usr/bin/php (deleted)' }),
    false,
  ],
  ['an executable that cannot be read', { exe: '/usr/bin/php' }, process({ exe: undefined }), false],
  ['a unit', { unit: 'billing.service' }, process(), true],
  ['a unit by pattern', { unit: 'billing@*.service' }, process({ unit: 'billing@eu.service' }), true],
  [
    'a unit that only begins alike',
    { unit: 'billing@*.service' },
    process({ unit: 'billing@eu.service.d' }),
    false,
  ],
  ['no unit', { unit: 'billing.service' }, process({ unit: undefined }), false],
  ['a container by the start of its id', { container: '0123456789ab' }, process({ container }), true],
  ['a container by too short a start', { container: '0123' }, process({ container }), false],
  ['no container', { container: '0123456789ab' }, process(), false],
  [
    'all of user, exe and unit',
    { user: 'billing', exe: '/usr/bin/php', unit: 'billing.service' },
    process(),
    true,
  ],
  ['two of three', { user: 'billing', exe: '/usr/bin/perl', unit: 'billing.service' }, process(), false],
  ['a client that names nothing', {}, process(), false],
  ['a uid, of a token caller', { uid: 1000 }, { kind: 'token', tokens: ['listeners[1]'] }, false],
  [
    'a token by its listener',
    { token: 'listeners[1]' },
    { kind: 'token', tokens: ['listeners[1]', '/t'] },
    true,
  ],
  ['a token by its file', { token: '/t' }, { kind: 'token', tokens: ['listeners[1]', '/t'] }, true],
  ['a token, of a process', { token: '/t' }, process(), false],
  ['a unit for which systemd asks', { unit: 'billing.service' }, unitCaller('billing.service', 0), true],
  [
    'a unit and a uid, of a unit for which systemd asks',
    { unit: 'billing.service', uid: 0 },
    unitCaller('billing.service', 0),
    false,
  ],
  ['an unknown caller', { uid: 1000 }, unknownCaller('gone'), false],
];
for (const [name, client, caller, expected] of matches) {
  t.test(`${expected ? 'matches' : 'does not match'} ${name}`, (t) => {
    t.equal(isAllowed([rule('r', client)], caller, secret('stripe'), true), expected);
    t.end();
  });
}

t.test('allows names exactly, and by a star', (t) => {
  const rules = [rule('r', { uid: 1000 }, { allow: ['stripe', 'app-*'] })];
  for (const name of ['stripe', 'app-', 'app-db']) t.ok(isAllowed(rules, process(), secret(name)), name);
  for (const name of ['stripes', 'strip', 'app', 'my-app-db', ''])
    t.notOk(isAllowed(rules, process(), secret(name)), name);
  t.end();
});

t.test('allows paths and methods of the Vault dialect', (t) => {
  const vault = [
    { path: 'secret/data/billing/*', methods: ['GET', 'list'] },
    { path: 'sys/health', methods: ['*'] },
  ];
  const rules = [rule('r', { uid: 1000 }, { vault })];
  const ask = (method: string, path: string): boolean =>
    isAllowed(rules, process(), { kind: 'vault', method, path });
  t.ok(ask('GET', 'secret/data/billing/a/b'));
  t.ok(ask('LIST', 'secret/data/billing/'));
  t.notOk(ask('POST', 'secret/data/billing/a'));
  t.ok(ask('LIST', 'secret/data/billing'), 'what is listed is the folder, as in the policies of a vault');
  t.notOk(ask('LIST', 'secret/data'));
  t.notOk(ask('LIST', 'secret/data/billings'));
  t.notOk(ask('GET', 'secret/data/billing'));
  t.ok(ask('PUT', 'sys/health'));
  t.end();
});

t.test('gives the admin right only where a rule says so, list and metrics to whom any rule matches', (t) => {
  const plain = [rule('plain', { uid: 1000 }, { allow: [] })];
  t.notOk(isAllowed(plain, process(), { kind: 'admin' }));
  t.ok(isAllowed([rule('a', { uid: 1000 }, { admin: true })], process(), { kind: 'admin' }));
  for (const kind of ['list', 'metrics'] as const) {
    t.ok(isAllowed(plain, process(), { kind }));
    t.notOk(isAllowed(plain, process({ uid: 1001 }), { kind }));
  }
  t.end();
});

t.test('the token’s holder counts as the agent’s user until a rule speaks of that token', (t) => {
  const caller: Caller = { kind: 'token', tokens: ['listeners[1]', '/t'] };
  t.ok(isAllowed([], caller));
  t.ok(isAllowed([rule('other', { uid: 7 })], caller, secret('database')));
  t.notOk(isAllowed([rule('given', { token: '/t' })], caller, secret('database')));
  t.notOk(isAllowed([], caller, secret('stripe'), true));
  t.end();
});

t.test('says which rule allowed it, or why none did', (t) => {
  const policy = compilePolicy(
    {
      rules: [rule('web', { user: 'php' }), rule('pay', { user: 'billing' }, { allow: ['database'] })],
      strict: false,
    },
    accounts,
    500,
  );
  t.match(decide(policy, process(), secret('database')), {
    isAllowed: true,
    reason: 'rule pay',
    rule: 'pay',
  });
  t.match(
    decide(policy, process(), secret('stripe')).reason,
    /no rule that matches the caller \(pay\) allows secret "stripe"/,
  );
  t.equal(decide(policy, process({ uid: 9 }), secret('stripe')).reason, 'no rule matches the caller');
  t.strictSame(explainDecision(policy, process(), secret('stripe')), [
    { rule: 'web', matchesCaller: false, allows: false, why: 'user: expected php (uid 33), got 1000' },
    {
      rule: 'pay',
      matchesCaller: true,
      allows: false,
      why: 'matches the caller and does not allow secret "stripe"',
    },
  ]);
  t.end();
});
