// A certificate and its key from the vault's PKI in one set, rotated by the agent under a TLS server that it supervises and
// signals, while clients connect in a loop. test/soak/nginx-pair.ts rotates a thousand times under nginx.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { startAgent } from '../support/cli.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

const server = join(import.meta.dirname, '../support/reloading-tls-server.ts');

/** The serial number that was shown. Rejects when the server cannot prove that it has the certificate's key. */
function handshake(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // A mismatched pair fails in any case; whether the certificate is trusted is not asked.
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      resolve(serialNumber);
    });
    socket.on('error', reject);
  });
}

/** Connects again and again until `stop`. */
function connectInALoop(port: number) {
  const [serials, errors] = [new Set<string>(), [] as string[]];
  let [handshakes, isOver] = [0, false];
  const loop = (async () => {
    while (!isOver) {
      try {
        serials.add(await handshake(port));
        handshakes += 1;
      } catch (error) {
        errors.push(error instanceof Error ? error.message : String(error));
      }
    }
  })();
  return {
    serials,
    errors,
    async stop() {
      isOver = true;
      await loop;
      return handshakes;
    },
  };
}

async function mountPki(vault: TestVault): Promise<void> {
  await vault.ask('PUT', 'sys/mounts/pki', { type: 'pki' });
  await vault.ask('PUT', 'pki/root/generate/internal', { common_name: 'Test Root', ttl: '1000h' });
  await vault.ask('PUT', 'pki/roles/web', { allow_any_name: true, key_type: 'ec' });
}

t.test('no handshake sees a certificate without its key', async (t) => {
  const rotations = 100;
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await mountPki(vault);
  const issue = async () => {
    const { data } = await vault.ask('PUT', 'pki/issue/web', { common_name: 'localhost', ttl: '1h' });
    await vault.writeSecret('secret/pair', { certificate: data.certificate, private_key: data.private_key });
    return String(data.serial_number).replaceAll(':', '').toUpperCase();
  };
  await issue();
  const path = (name: string, kind: string) => join(folder, `${name}.${kind}`);
  const pairFiles = (name: string) => [
    {
      contents: `{{ field "${name}" "certificate" }}`,
      destination: path(name, 'crt'),
      set: name,
      notify: { signal: 'HUP', process: name },
    },
    { contents: `{{ field "${name}" "private_key" }}`, destination: path(name, 'key'), set: name },
  ];
  const serverOf = (name: string) => ({
    name,
    command: [process.execPath, server, path(name, 'crt'), path(name, 'key'), path(name, 'port')],
    output: 'log',
  });
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: {
        // Lives so short that the agent has it issued again by itself.
        issued: {
          path: 'pki/issue/web',
          operation: 'write',
          parameters: { common_name: 'localhost', ttl: '4s' },
        },
        stored: { path: 'secret/pair', refresh: '1h' },
      },
      files: [...pairFiles('issued'), ...pairFiles('stored')],
      processes: [serverOf('issued'), serverOf('stored')],
    },
  });
  // The file is there a moment before the number is in it.
  const portOf = (name: string) =>
    existsSync(path(name, 'port')) && Number(readFileSync(path(name, 'port'), 'utf8'));
  const clients: ReturnType<typeof connectInALoop>[] = [];
  for (const name of ['issued', 'stored']) {
    clients.push(connectInALoop(await waitFor(`the server ${name}`, () => portOf(name) || undefined)));
  }
  t.teardown(() => Promise.all(clients.map((client) => client.stop())));
  const [issued, stored] = clients;
  let last = '';
  for (let rotation = 0; rotation < rotations; rotation += 1) {
    last = await issue();
    await agent.ask('/refresh', { method: 'POST' });
  }
  await waitFor('the last pair', () => stored?.serials.has(last));
  await waitFor('pairs that were issued by themselves', () => (issued?.serials.size ?? 0) > 2);
  const handshakes = await Promise.all(clients.map((client) => client.stop()));
  t.comment(`${handshakes} handshakes, ${clients.map(({ serials }) => serials.size)} certificates`);
  t.strictSame(
    clients.flatMap(({ errors }) => errors),
    [],
  );
  t.ok((stored?.serials.size ?? 0) > rotations / 10, `${stored?.serials.size} different certificates`);
  const { processes } = JSON.parse((await agent.ask('/status')).text) as AgentStatus;
  t.match(processes, [{ restarts: 0 }, { restarts: 0 }]);
  t.notMatch(agent.log(), /"level":50/);
  t.equal((await agent.stop()).code, 0);
});
