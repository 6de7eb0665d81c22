import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfigText } from '../../../src/config/load.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { needsRoot } from '../../support/needs-root.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const request = () => ({ priority: 'interactive' as const, signal: AbortSignal.timeout(60_000) });

/** A program that prints `answer` and does what `script` says before. */
function shell(t: Test, script: string, more: object = {}, env: Record<string, string> = {}) {
  const folder = testFolder(t, 0o777);
  const start = startKindSource(
    t,
    { kind: 'exec', command: ['/bin/sh', '-c', script, 'sh', folder], ...more },
    { env },
  );
  return { folder, start };
}

t.test('asks with JSON on standard input, and takes values, versions and ends', async (t) => {
  const { folder, start } = shell(
    t,
    `cat > "$1/request"; printf '{"values":{"user":"joe","n":1.50},"version":7,"expires_at":"%s"}' "$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)"`,
  );
  const up = await start;
  const answer = await up.read('db/app', { role: 'x' });
  t.match(answer, { kind: 'expiring', versionId: '7' });
  t.ok(Math.abs((answer.ttlSeconds ?? 0) - 3600) < 10, `${answer.ttlSeconds}`);
  t.same(await up.fields('db/app', { role: 'x' }), { user: 'joe', n: 1.5 });
  t.same(JSON.parse(readFileSync(join(folder, 'request'), 'utf8')), {
    version: 1,
    operation: 'read',
    name: 'db/app',
    parameters: { role: 'x' },
  });
});

t.test('leases are renewed and revoked by the program', async (t) => {
  const { folder, start } = shell(
    t,
    `r=$(cat); echo "$r" >> "$1/log"; case "$r" in *revoke*) [ ! -e "$1/gone" ] || exit 3;; *renew*) [ ! -e "$1/gone" ] || exit 3; printf '{"expires_at":%s}' $(($(date +%s)+60));; *) printf '{"value":"v","lease_id":"l1","renewable":true,"expires_at":%s}' $(($(date +%s)+30));; esac`,
  );
  const { source, read } = await start;
  t.match(await read('x'), { kind: 'leased', lease: { id: 'l1', isRenewable: true } });
  const renewed = await source.leases?.renew('l1', 60, request());
  t.ok(renewed && renewed.durationSeconds > 50 && renewed.isRenewable);
  await source.leases?.revoke('l1', request());
  writeFileSync(join(folder, 'gone'), '');
  await t.rejects(async () => await source.leases?.renew('l1', 60, request()), { code: 'lease_lost' });
  await source.leases?.revoke('l1', request());
  t.match(
    readFileSync(join(folder, 'log'), 'utf8'),
    /"operation":"renew","lease_id":"l1","increment_seconds":60/,
  );
});

t.test('standard error is in the log without any value of the answer', async (t) => {
  const { start } = shell(t, `echo 'asked with hunter2 and more' >&2; printf '{"value":"hunter2"}'`);
  const up = await start;
  await up.read('x');
  t.match(up.logs, [{ level: 'warn', message: 'asked with [redacted] and more' }]);
  const failing = await shell(t, `echo 'the server said no' >&2; exit 7`).start;
  await t.rejects(failing.read('x'), { code: 'upstream_unavailable', message: '/bin/sh ended with code 7' });
  t.equal(
    failing.logs.some(({ message }) => message === 'the server said no'),
    true,
  );
});

t.test('what is no answer is told without a word of it', async (t) => {
  const refused: readonly [string, RegExp][] = [
    [`printf 'hunter2'`, /expected a JSON object/],
    [`printf '["hunter2"]'`, /expected a JSON object/],
    [`printf '{"secret":"hunter2"}'`, /expected value, a string, or values, a map/],
    [`printf '{"value":"hunter2","lease_id":"x"}'`, /expected expires_at with a lease_id/],
    [`printf '{"value":"hunter2","expires_at":"soon"}'`, /expected expires_at/],
    [`printf '{"value":"hunter2!!","encoding":"base64"}'`, /expected value in base64/],
    [`printf '{"value":"aGk=hunter2","encoding":"base64"}'`, /expected value in base64/],
    [`printf '{"value":"hunter2","encoding":"hex"}'`, /expected encoding base64, or none/],
    [`printf '{"value":"hunter2\\377"}'`, /expected JSON in UTF-8/],
    [`printf '{"values":{"hunter2":1'; seq 30000 | sed 's/.*/,"&":1/'; printf '}}'`, /more than 20000 keys/],
  ];
  for (const [script, message] of refused) {
    await t.rejects((await shell(t, script).start).read('x'), { code: 'upstream_answer_invalid', message });
  }
});

t.test('too slow or too much: the program ends, and what it has started', async (t) => {
  const slow = shell(t, `sleep 300 & echo $! > "$1/pid"; wait`, { timeout: '300ms' });
  await t.rejects((await slow.start).read('x'), {
    code: 'upstream_unavailable',
    message: /no answer within 300 ms/,
  });
  const pid = Number(readFileSync(join(slow.folder, 'pid'), 'utf8'));
  await waitFor('its child is gone', () => isGone(pid));
  const loud = await shell(t, 'yes', { max_output: '64KiB' }).start;
  await t.rejects(loud.read('x'), { code: 'upstream_unavailable', message: /more than 65536 bytes/ });
  // It tells its pid once it is in a session of its own: killed before that it would still be of the group.
  const leave = `setsid sh -c 'echo $$ > "$0/pid"; exec sleep 300' "$1"`;
  const left = shell(t, `${leave} & until [ -s "$1/pid" ]; do sleep 0.01; done; printf '{"value":"v"}'`);
  t.match(await (await left.start).fields('x'), { value: 'v' });
  const outside = Number(readFileSync(join(left.folder, 'pid'), 'utf8'));
  t.notOk(isGone(outside), 'one that left the group and holds the pipe is not waited for');
  process.kill(outside, 'SIGKILL');
});

t.test('gets a clean environment and its own user', { skip: needsRoot }, async (t) => {
  const script = `printf '{"values":{"mode":"%s","passed":"%s","token":"%s","home":"%s","id":"%s","groups":"%s","nnp":"%s"}}' "$MODE" "$PASSED" "$VAULT_TOKEN" "$HOME" "$(id -u)" "$(id -G)" "$(awk '/^NoNewPrivs/{print $2}' /proc/self/status)"`;
  const config = { user: 'nobody', env: { MODE: 'x' }, pass_env: ['PASSED'] };
  const up = await shell(t, script, config, { PASSED: 'y', VAULT_TOKEN: 'z', HOME: '/root' }).start;
  t.match(await up.fields('x'), {
    mode: 'x',
    passed: 'y',
    token: '',
    home: '',
    id: '65534',
    groups: /^\d+$/,
    nnp: '1',
  });
  const none = await shell(t, 'true', { user: 'no-such-user' }).start;
  await t.rejects(none.read('x'), { message: /there is no user or group "no-such-user"/ });
});

t.test('one at a time unless told, and never a shell', async (t) => {
  const { folder, start } = shell(
    t,
    `[ ! -e "$1/busy" ] || echo two >> "$1/twice"; touch "$1/busy"; sleep 0.05; rm "$1/busy"; printf '{"value":"v"}'`,
  );
  const up = await start;
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => up.read(name)));
  t.throws(() => readFileSync(join(folder, 'twice')));
  t.throws(() => loadConfigText('/x.yaml', 'upstreams: { e: { kind: exec, command: [cat] } }', { env: {} }), {
    message: /expected the whole path of a program/,
  });
  const absent = await startKindSource(t, { kind: 'exec', command: ['/no/such/program'] });
  await t.rejects(absent.read('x'), {
    code: 'upstream_unavailable',
    message: /cannot be started \(ENOENT\)/,
  });
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}
