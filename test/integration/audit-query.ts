// "Who read stripe in the last day?", asked of the audit files by the command line.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';

t.test('tells who asked for a secret, what they got, and who was refused', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/stripe', { key: 'sk_live_value' });
  await vault.writeSecret('secret/other', { key: 'x' });
  const file = join(folder, 'audit.jsonl');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { stripe: { path: 'secret/stripe' }, other: { path: 'secret/other' } },
      audit: { file },
      access: [{ name: 'app', client: { uid: process.getuid?.() ?? 0 }, allow: ['stripe'] }],
    },
  });
  await agent.untilReady();
  await agent.ask('/secrets/stripe/key');
  await agent.ask('/secrets/other/key');
  const query = (...words: string[]) =>
    runProgram(t, ['audit', 'query', ...words, '--config', agent.configPath]);
  const one = await query('stripe');
  t.equal(one.code, 0, one.stderr);
  const rows = one.stdout.trimEnd().split('\n');
  t.equal(rows.length, 2);
  t.match(rows[0], /^TIME +CALLER +ASKED FOR +VERSION +TIMES +ANSWER$/);
  t.match(rows[1], /^20\d\d-.*Z +uid \d+, pid \d+, \S+ +stripe key +1 +1 +200 by /);
  const records = JSON.parse((await query('--json')).stdout) as { name?: string; isAllowed: boolean }[];
  t.ok(records.some(({ name, isAllowed }) => name === 'stripe' && isAllowed));
  const all = await query();
  t.notMatch(all.stdout, /sk_live_value/);
  t.match((await query('stripe', '--uid', '4242')).stderr, /nobody asked for stripe in the last 24h/);
  t.match((await query('stripe', '--since', '1ms')).stderr, /nobody asked for stripe in the last 1ms/);
  const unknown = await query('stripe', 'other');
  t.equal(unknown.code, 2);
  t.match(unknown.stderr, /expected one name at most/);
});

t.test(
  'reads files that are named, past lines that are no records, and looks no further back than asked',
  async (t) => {
    const folder = testFolder(t);
    const file = join(folder, 'old.jsonl');
    const line = (time: string, more: object) =>
      JSON.stringify({
        seq: 1,
        time,
        event: 'request',
        caller: { uid: 7 },
        allowed: true,
        status: 200,
        ...more,
      });
    writeFileSync(
      file,
      [
        line('2001-01-01T00:00:00.000Z', { name: 'stripe', reason: 'long ago' }),
        '{"torn',
        line(new Date().toISOString(), { name: 'stripe', reason: 'rule app' }),
        line(new Date().toISOString(), { name: 'stripe', allowed: false, reason: 'no rule', count: 40 }),
      ].join('\n'),
    );
    const query = (...words: string[]) =>
      runProgram(t, ['audit', 'query', 'stripe', '--file', file, ...words]);
    const recent = await query();
    t.notMatch(recent.stdout, /long ago/);
    t.match(recent.stdout, /rule app/);
    t.match(recent.stdout, / 40 +denied: no rule/);
    t.match((await query('--since', '1000000h')).stdout, /long ago/);
    const denied = (await query('--denied')).stdout;
    t.notMatch(denied, /rule app/);
    t.match(denied, /no rule/);
    t.equal((await query('--limit', '1')).stdout.trimEnd().split('\n').length, 2);
  },
);
