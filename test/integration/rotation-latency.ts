// A value changed in the vault is in the file, and its program told, within refresh + 1 s; at once when asked for.
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startAgent, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { onceWithin, waitFor } from '../support/wait-for.ts';

const refreshMs = 1000;

async function setUp(t: Test, refresh: string) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/stripe', { api_key: 'sk_1' });
  const destination = join(folder, 'stripe.conf');
  const reloaded = join(folder, 'reloaded');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: {
        vault: { kind: 'vault', address: vault.address, auth: { method: 'token' }, events: false },
      },
      secrets: { stripe: { path: 'secret/stripe', refresh } },
      files: [
        {
          contents: 'key={{ field "stripe" "api_key" }}\n',
          destination,
          mode: '0640',
          notify: { command: ['cp', destination, reloaded] },
        },
      ],
    },
  });
  await agent.untilReady();
  await waitFor('the first reload', () => existsSync(reloaded));
  return { folder, vault, destination, reloaded, agent };
}

t.test('a polled value is in the file and the reload has run within refresh + 1 s', async (t) => {
  const { vault, destination, reloaded } = await setUp(t, `${refreshMs}ms`);
  t.equal(readFileSync(destination, 'utf8'), 'key=sk_1\n');
  t.equal(statSync(destination).mode & 0o777, 0o640);
  await onceWithin(refreshMs + 1000, async (round) => {
    const text = `key=sk_${round + 2}\n`;
    await vault.writeSecret('secret/stripe', { api_key: `sk_${round + 2}` });
    await waitFor(
      `${text} in the program's copy`,
      () => existsSync(reloaded) && readFileSync(reloaded, 'utf8') === text,
    );
    t.equal(readFileSync(destination, 'utf8'), text);
  });
});

t.test('POST /refresh and USR1 bring it within 1 s, whatever refresh says', async (t) => {
  const { vault, reloaded, agent } = await setUp(t, '1h');
  const isReloadedWith = (value: string) => () => readFileSync(reloaded, 'utf8') === `key=${value}\n`;
  await onceWithin(1000, async (round) => {
    await vault.writeSecret('secret/stripe', { api_key: `by-post ${round}` });
    const answer = await agent.ask('/refresh', { method: 'POST' });
    t.equal(answer.status, 200);
    t.match(JSON.parse(answer.text), { results: [{ name: 'stripe', outcome: 'changed' }] });
    await waitFor('the value asked for by POST', isReloadedWith(`by-post ${round}`));
  });
  await onceWithin(1000, async (round) => {
    await vault.writeSecret('secret/stripe', { api_key: `by-signal ${round}` });
    process.kill(agent.pid, 'SIGUSR1');
    await waitFor('the value asked for by USR1', isReloadedWith(`by-signal ${round}`));
  });
});

t.test('the same bytes are not written and not notified, and a wrong mode is mended', async (t) => {
  const { vault, destination, reloaded, agent } = await setUp(t, '1h');
  const { ino } = statSync(destination);
  rmSync(reloaded);
  chmodSync(destination, 0o666);
  await vault.writeSecret('secret/stripe', { api_key: 'sk_1', unused: 'changed' });
  await agent.ask('/refresh', { method: 'POST' });
  await waitFor('the right mode', () => (statSync(destination).mode & 0o777) === 0o640);
  t.match(JSON.parse((await agent.ask('/secrets/stripe')).text), { version: 2 });
  t.equal(statSync(destination).ino, ino, 'not written');
  t.notOk(existsSync(reloaded), 'not notified');
});

t.test('a running program gets its signal by pid file', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  const [destination, pidFile] = [join(folder, 'app.conf'), join(folder, 'app.pid')];
  writeFileSync(destination, '');
  const script = `
    const fs = require('fs');
    process.on('SIGHUP', () => fs.writeFileSync(${JSON.stringify(join(folder, 'seen'))}, fs.readFileSync(${JSON.stringify(destination)})));
    fs.writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));
    setInterval(() => {}, 1000);`;
  const { spawn } = await import('node:child_process');
  const program = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  t.teardown(() => program.kill('SIGKILL'));
  await waitFor('the program', () => existsSync(pidFile));
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app', refresh: '200ms' } },
      files: [
        { contents: '{{ field "app" "word" }}', destination, notify: { signal: 'HUP', pid_file: pidFile } },
      ],
    },
  });
  await agent.untilReady();
  for (const word of ['two', 'three']) {
    await vault.writeSecret('secret/app', { word });
    await waitFor(
      `the program has read ${word}`,
      () => existsSync(join(folder, 'seen')) && readFileSync(join(folder, 'seen'), 'utf8') === word,
    );
  }
});

t.test('render --once writes, notifies and ends', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'once' });
  const configPath = join(folder, 'latchkey.yaml');
  const destination = join(folder, 'app.conf');
  writeFileSync(
    configPath,
    JSON.stringify({
      upstreams: { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } },
      files: [
        {
          contents: '{{ with secret "secret/app" }}{{ .Data.data.word }}{{ end }}',
          destination,
          notify: { command: ['touch', join(folder, 'notified')] },
        },
      ],
      state_dir: join(folder, 'state'),
    }),
  );
  const run = startProgram(t, ['render', '--once', '--config', configPath], {
    env: { VAULT_TOKEN: vault.rootToken },
  });
  const { code, stderr } = await run.exited;
  t.equal(code, 0, stderr);
  t.equal(readFileSync(destination, 'utf8'), 'once');
  t.ok(existsSync(join(folder, 'notified')));
});
