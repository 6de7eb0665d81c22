// A value that upstream does not confirm: `explain` and `status` say until when it is handed out, by which key, and what then.
import { join } from 'node:path';
import t from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const names = ['kept', 'short', 'failing', 'denied', 'stale', 'held'] as const;

t.test('each key that decides is named, with the time and what follows', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  for (const name of names) await vault.writeSecret(`secret/${name}`, { word: name });
  const allow = 'path "secret/*" { capabilities = ["read"] }';
  await vault.ask('PUT', 'sys/policies/acl/agent', { policy: allow });
  const made = await vault.ask('PUT', 'auth/token/create', { policies: ['agent'] });
  const agent = startAgent(t, {
    folder,
    vault: { ...vault, rootToken: made.auth.client_token },
    upstream: { events: false },
    config: {
      secrets: {
        kept: { path: 'secret/kept' },
        short: { path: 'secret/short', max_stale: '2h', required: false },
        failing: { path: 'secret/failing', on_removed: 'fail' },
        denied: { path: 'secret/denied', on_denied: 'keep' },
        stale: { path: 'secret/stale' },
        held: { path: 'secret/held', on_stale: 'keep' },
      },
      files: [{ contents: '{{ field "kept" "word" }}', destination: join(folder, 'out') }],
    },
  });
  const env = {};
  const run = (...words: string[]) => runProgram(t, [...words, '--socket', agent.socket], { env });
  await agent.untilReady();
  t.notMatch((await run('explain', 'kept')).stdout, /last value/, 'what is confirmed has no such line');

  for (const name of ['kept', 'short', 'failing']) await vault.ask('DELETE', `secret/metadata/${name}`);
  const deny = `${allow}\npath "secret/data/denied" { capabilities = ["deny"] }`;
  await vault.ask('PUT', 'sys/policies/acl/agent', { policy: deny });
  await run('refresh');
  vault.vault.seal();
  await run('refresh', 'stale', 'held');
  const status = async () => JSON.parse((await run('status', '--json')).stdout) as AgentStatus;
  const stateOf = async (name: string) =>
    (await status()).secrets.find((one) => one.names.includes(name))?.state;
  for (const [name, state] of [
    ['kept', 'removed'],
    ['short', 'removed'],
    ['failing', 'expired'],
    ['denied', 'denied'],
    ['stale', 'stale'],
    ['held', 'stale'],
  ] as const)
    await waitFor(`${name} ${state}`, async () => (await stateOf(name)) === state);

  const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
  const then =
    '  then nobody gets it any more \\(expired\\): files and programs keep what they have, and the agent is not ready';
  for (const [name, lines] of [
    [
      'kept',
      `until ${time}: on_removed: keep, for max_stale: 24h \\(the default\\) from when upstream confirmed it last\n${then}`,
    ],
    [
      'short',
      `until ${time}: on_removed: keep, for max_stale: 2h from when upstream confirmed it last\n${then}`,
    ],
    ['denied', `until ${time}: on_denied: keep, for max_stale: 24h \\(the default\\) from when`],
    [
      'stale',
      `until ${time}: max_stale: 24h \\(the default\\) from when upstream confirmed it last\n${then}`,
    ],
    ['held', 'on: on_stale: keep\n  it is handed out as long as upstream does not give another'],
  ] as const) {
    const { stdout } = await run('explain', name);
    t.match(stdout, new RegExp(`^  the last value is handed out ${lines}`, 'm'), name);
  }
  t.match(
    (await run('explain', 'failing')).stdout,
    /^ {2}not handed out any more: on_removed: fail\n {2}it is handed out again as soon as upstream gives one$/m,
  );

  const { secrets } = await status();
  const short = secrets.find((one) => one.names.includes('short'));
  const left = Date.parse(short?.last_value?.until ?? '') - Date.parse(short?.confirmed_at ?? '');
  t.equal(Math.round(left / 1000), 7200, 'from when it was confirmed');
  const text = (await run('status')).stdout;
  t.match(text, new RegExp(`^kept +removed .*24h.*handed out until ${time} by max_stale`, 'm'));
  t.match(text, /^held +stale .*handed out by on_stale: keep/m);
  t.match(text, /^failing +expired .*not handed out any more by on_removed: fail/m);
});
