// Hooks of a running agent: a message, and the file has the new value; a reload; what is lost or comes twice does no harm.
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { onceWithin, waitFor } from '../support/wait-for.ts';

const body = '{"type":"config.secrets.update"}';

function send(port: number, name: string, key: string): Promise<number> {
  const time = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', key).update(`${time}.${body}`).digest('hex');
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', port, method: 'POST', path: `/hooks/${name}`, agent: false },
        headers: { host: 'agent.example', 'x-latchkey-timestamp': time, 'x-latchkey-signature': signature },
      },
      (answer) => answer.resume().once('end', () => resolve(answer.statusCode ?? 0)),
    );
    sent.once('error', reject);
    sent.end(body);
  });
}

async function setUp(t: Test) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  await vault.writeSecret('secret/other', { word: 'one' });
  await vault.writeSecret('secret/hook', { key: 'from-the-vault' });
  writeFileSync(join(folder, 'hook.key'), 'from-a-file\n', { mode: 0o600 });
  const config = {
    upstreams: {
      vault: { kind: 'vault', address: vault.address, events: false, auth: { method: 'token' } },
    },
    secrets: {
      app: { path: 'secret/app', refresh: '1h' },
      other: { path: 'secret/other', refresh: '1h' },
      hook: { path: 'secret/hook', refresh: '1h' },
    },
    files: ['app', 'other'].map((name) => ({
      contents: `{{ field "${name}" "word" }}`,
      destination: join(folder, `${name}.conf`),
      wait: '0s',
    })),
    listeners: [
      { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin', 'metrics'] },
      { tcp: '127.0.0.1:0', serve: ['hooks'] },
    ],
    hooks: {
      app: { hmac: { secret_file: 'hook.key' }, refresh: ['app'] },
      vaulted: { hmac: { secret: 'hook#key' }, refresh: ['*'] },
    },
  };
  const agent = startAgent(t, { folder, vault, config });
  await agent.untilReady();
  const { listeners } = JSON.parse((await agent.ask('/status')).text);
  const port = Number(
    /:(\d+)$/.exec(listeners.find((one: { serve: string[] }) => one.serve.includes('hooks')).address)?.[1],
  );
  const file = (name: string) => readFileSync(join(folder, `${name}.conf`), 'utf8');
  return { folder, vault, agent, port, file, config };
}

t.test('a message, and within a second the file has what changed', async (t) => {
  const { vault, port, file, folder } = await setUp(t);
  await onceWithin(1000, async (round) => {
    const word = `word ${round}`;
    await vault.writeSecret('secret/app', { word });
    t.equal(await send(port, 'app', 'from-a-file'), 202);
    await waitFor(`the file has ${word}`, () => file('app') === word);
  });
  await vault.writeSecret('secret/other', { word: 'four' });
  t.equal(file('other'), 'one', 'what the hook does not name is not asked for');
  const before = vault.countRequests(/secret\/data\/app/);
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(port, 'app', 'from-a-file')));
  t.ok(answers.every((status) => status === 202));
  t.ok(vault.countRequests(/secret\/data\/app/) - before < 5, 'the same message twenty times');
  t.equal(await send(port, 'vaulted', 'from-the-vault'), 202, 'its key may be a secret itself');
  await waitFor('all that changed', () => file('other') === 'four');
  t.equal(await send(port, 'vaulted', 'from-a-file'), 403, 'and each has its own');
  const explain = async (name: string) =>
    (await runProgram(t, ['explain', name, '--socket', join(folder, 'latchkey.sock')])).stdout;
  t.match(await explain('app'), /asked for at once by messages of hooks: app, vaulted\n/);
  t.match(await explain('other'), /by messages of hooks: vaulted\n/);
});

t.test('a reload takes hooks away and brings others, while the listener stays', async (t) => {
  const { agent, port, config, vault } = await setUp(t);
  const hooks = { later: { hmac: { secret_file: 'hook.key' }, refresh: ['other'] } };
  const { upstreams, secrets, files, listeners } = config;
  const before = JSON.parse(readFileSync(agent.configPath, 'utf8'));
  writeFileSync(agent.configPath, JSON.stringify({ ...before, upstreams, secrets, files, listeners, hooks }));
  const { text } = await agent.ask('/reload', { method: 'POST' });
  t.match(text, /"changed":\[.*"hooks"/);
  t.equal(await send(port, 'later', 'from-a-file'), 202);
  t.equal(await send(port, 'app', 'from-a-file'), 403);
  t.ok(vault.countRequests() > 0);
});
