import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { missing } from '../../../support/missing.ts';
import { emptyHost, failureOf, outcome } from '../../../support/render-text.ts';

const host = {
  ...emptyHost,
  now: () => new Date('2024-02-09T03:07:05.123Z'),
  env: (name: string) => ({ A: 'größe' })[name],
};

const cases: readonly (readonly [template: string, output: string])[] = [
  ['{{ timestamp }}', '2024-02-09T03:07:05Z'],
  ['{{ timestamp "unix" }}', '1707448025'],
  ['{{ timestamp "Mon Jan _2 15:04:05.000 MST 2006" }}', 'Fri Feb  9 03:07:05.123 UTC 2024'],
  ['{{ timestamp "3:04PM 2006-01-02 -07:00 Z07:00" }}', '3:07AM 2024-02-09 +00:00 Z'],
  ['{{ env "A" }} {{ len (env "A") }} {{ envOrDefault "B" "b" }}', 'größe 7 b'],
];

for (const [template, output] of cases) {
  t.test(`gives ${output} for ${template}`, async (t) => {
    t.equal(await outcome(template, { host }), output);
  });
}

t.test('functions of Consul and Nomad say that there is no such source', async (t) => {
  t.match(
    (await failureOf('{{ key "a" }}')).message,
    /error calling key: key asks Consul, and no such source is configured/,
  );
  t.match((await failureOf('{{ range service "web" }}{{ end }}')).message, /service asks Consul/);
  t.match((await failureOf('{{ nomadVar "a" }}')).message, /nomadVar asks Nomad/);
});

t.test('keys and certificates are not made', async (t) => {
  for (const call of ['sprig_genCA "a" 1', 'sprig_genPrivateKey "rsa"'])
    t.match((await failureOf(`{{ ${call} }}`)).message, /another key or certificate at each execution/);
});

t.test('random results keep to what sprig says of them', async (t) => {
  const seen = new Set<string>();
  for (let i = 0; i < 60; i++) seen.add(String(await outcome('{{ sprig_randInt 1 4 }}', { host })));
  t.same([...seen].sort(), ['1', '2', '3']);
  t.match(await outcome('{{ sprig_randInt -5 -4 }}', { host }), '-5');
  t.match((await failureOf('{{ sprig_randInt 5 5 }}')).message, /invalid argument to Intn/);
  const mixed = String(await outcome('{{ sprig_shuffle "größe" }}', { host }));
  t.equal([...mixed].sort().join(''), [...'größe'].sort().join(''));
  const round = '{{ sprig_encryptAES "key" "größe" | sprig_decryptAES "key" }}';
  t.equal(await outcome(round, { host }), 'größe');
  t.not(await outcome('{{ sprig_encryptAES "k" "a" }}'), await outcome('{{ sprig_encryptAES "k" "a" }}'));
  t.match(await outcome('{{ sprig_bcrypt "p" }}', { host }), /^\$2a\$10\$[./A-Za-z0-9]{53}$/);
  t.match(await outcome(`{{ sprig_bcrypt "${'x'.repeat(73)}" }}`), /^failed to encrypt string with bcrypt/);
  t.equal(await outcome('{{ sprig_htpasswd "a:b" "p" }}'), 'invalid username: a:b');
});

const noHtpasswd = missing('apache2-utils', ['htpasswd', '-bnBC', '4', 'a', 'b'], /^a:/);

t.test('htpasswd of Apache knows the password', { skip: noHtpasswd }, async (t) => {
  const file = join(
    t.testdir({ users: `${await outcome('{{ sprig_htpasswd "user" "größe" }}', { host })}\n` }),
    'users',
  );
  t.equal(spawnSync('htpasswd', ['-vb', file, 'user', 'größe']).status, 0);
  t.equal(spawnSync('htpasswd', ['-vb', file, 'user', 'other']).status, 3);
});

t.test('ago and durationRound of a time count from now', async (t) => {
  t.equal(await outcome('{{ sprig_ago 1707447995 }}', { host }), '30s');
  t.equal(await outcome('{{ sprig_ago "x" }}', { host }), '0s');
  t.equal(await outcome('{{ sprig_toDate "2006-01-02" "2024-02-08" | sprig_ago }}', { host }), '27h7m5s');
  t.equal(
    await outcome('{{ sprig_toDate "2006-01-02" "2024-01-01" | sprig_durationRound }}', { host }),
    '1mo',
  );
});
