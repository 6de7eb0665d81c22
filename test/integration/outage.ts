// The vault away at the start, and later: the agent says so, keeps what it has, and recovers by itself.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test('down at start: /readyz says what is missing, and it recovers by itself', async (t) => {
  const folder = testFolder(t);
  const port = await freePort();
  const destination = join(folder, 'app.conf');
  const agent = startAgent(t, {
    folder,
    vault: { address: `http://127.0.0.1:${port}`, rootToken: 'root' },
    config: {
      upstreams: {
        vault: {
          kind: 'vault',
          address: `http://127.0.0.1:${port}`,
          auth: { method: 'token', min_backoff: '100ms', max_backoff: '500ms' },
        },
      },
      secrets: { app: { path: 'secret/app', refresh: '500ms' } },
      files: [{ contents: '{{ field "app" "word" }}', destination }],
    },
  });
  const answer = await waitFor('an answer', () => agent.ask('/readyz').catch(() => undefined));
  t.equal(answer.status, 503);
  t.match(answer.text, /upstream vault/);
  t.match(answer.text, /secret app/);
  t.match(answer.text, /app\.conf/);
  t.equal((await agent.ask('/healthz')).status, 200, 'it is alive');
  t.equal((await agent.ask('/secrets/app')).status, 503);
  const vault = await startDevVault(t, { listen: `127.0.0.1:${port}`, rootToken: 'root' });
  await vault.writeSecret('secret/app', { word: 'recovered' });
  await agent.untilReady();
  t.equal(readFileSync(destination, 'utf8'), 'recovered');
});

for (const [mood, begin, end] of [
  ['sealed', 'seal', 'unseal'],
  ['answering 500', 'fault', 'clear'],
] as const) {
  t.test(`${mood} later: file and socket keep the last value, marked stale, and it recovers`, async (t) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { word: 'before' });
    const destination = join(folder, 'app.conf');
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        upstreams: {
          vault: {
            kind: 'vault',
            address: vault.address,
            events: false,
            auth: { method: 'token', min_backoff: '100ms', max_backoff: '1s' },
          },
        },
        secrets: { app: { path: 'secret/app', refresh: '200ms' } },
        files: [{ contents: '{{ field "app" "word" }}', destination }],
      },
    });
    await agent.untilReady();
    if (begin === 'seal') vault.vault.seal();
    else vault.addFault({ kind: 'status', status: 500 });
    const stale = await waitFor('a stale answer', async () => {
      const answer = await agent.ask('/secrets/app/word');
      return answer.headers['latchkey-stale'] === undefined ? undefined : answer;
    });
    t.equal(stale.status, 200);
    t.equal(stale.text, 'before');
    t.equal(readFileSync(destination, 'utf8'), 'before');
    t.match((await agent.ask('/status')).text, begin === 'seal' ? /sealed/ : /unavailable/);
    if (end === 'unseal') vault.vault.unseal();
    else vault.clearFaults();
    await vault.writeSecret('secret/app', { word: 'after' });
    await waitFor('the new value', () => readFileSync(destination, 'utf8') === 'after');
    t.ok(existsSync(destination));
  });
}
