// A server for test/bench/serve.ts in a process of its own: `latchkey` (access, audit and ledger on), `unaudited` (the same
// without an audit file) or `bare`, a plain node:http server that answers the bytes it is told to. Prints its addresses as one
// line of JSON, ends with stdin.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuditLog, createSilentAudit } from '../../src/audit/audit-log.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { defaultEntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { answerOf, portOf, startServing, stillVault, tcpListener, unixListener } from '../support/serving.ts';

export interface TargetAddresses {
  readonly unix: string;
  readonly port: number;
  readonly token: string;
}

const [mode, answerText] = process.argv.slice(2);
const started =
  mode === 'bare' ? await startBare(answerText ?? '') : await startLatchkey(mode !== 'unaudited');
process.stdout.write(`${JSON.stringify(started.addresses)}\n`);
process.stdin.resume();
process.stdin.on('end', () => void started.close().then(() => process.exit(0)));

async function startLatchkey(isAudited: boolean) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const clock = createSystemClock();
  const settings = {
    file: join(folder, 'audit.jsonl'),
    onFailure: 'deny',
    maxBytes: 256 * 1024 * 1024,
    keepFiles: 1,
  } as const;
  const serving = await startServing({
    audit: isAudited ? createAuditLog({ settings, clock, logger: silentLogger }) : createSilentAudit(),
    rules: {
      strict: true,
      rules: [
        { name: 'others', client: { uid: 4_000_000 }, allow: ['*'], vault: [], admin: false },
        {
          name: 'bench',
          client: { uid: process.getuid?.() ?? 0 },
          allow: ['database', 'stripe'],
          vault: [{ path: 'secret/data/*', methods: ['GET'] }],
          admin: false,
        },
        {
          name: 'token',
          client: { token: 'listeners[1]' },
          allow: ['stripe'],
          vault: [{ path: 'secret/data/*', methods: ['GET'] }],
          admin: false,
        },
      ],
    },
    listeners: (own) => [
      unixListener(join(own, 'api.sock'), ['secrets', 'vault', 'aws']),
      tcpListener(join(own, 'token'), ['secrets', 'vault', 'aws']),
    ],
    view: { vault: stillVault },
  });
  serving.put('stripe', {
    key: 'sk_live_0123456789abcdefghijklmnopqrstuv',
    id: 'acct_1',
    webhook: 'whsec_9876543210',
  });
  const reference = createReference({ upstream: 'vault', path: 'secret/data/stripe' });
  const { key } = serving.store.open(reference, defaultEntryPolicy);
  const metadata = { version: 1, created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false };
  serving.store.publish(
    key,
    answerOf(
      { data: { key: 'sk_live_0123456789abcdefghijklmnopqrstuv', id: 'acct_1' }, metadata },
      { versionId: '1' },
      'kv2',
    ),
    undefined,
  );
  return {
    addresses: {
      unix: serving.socketPath,
      port: portOf(serving.server, 'listeners[1]'),
      token: readFileSync(join(serving.folder, 'token'), 'utf8'),
    },
    async close() {
      await serving.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `text`: `{"headers":{…},"body":"…"}`; Node adds Date, Connection and Keep-Alive as it does for the other. */
async function startBare(text: string) {
  const { headers, body } = JSON.parse(text) as { headers: Record<string, string>; body: string };
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const bytes = Buffer.from(body, 'utf8');
  const servers = [0, 1].map(() =>
    createServer({ keepAliveTimeout: 300_000 }, (_request, response) => {
      response.writeHead(200, headers);
      response.end(bytes);
    }),
  );
  const [onUnix, onTcp] = servers as [Server, Server];
  await Promise.all([
    new Promise<void>((resolve) => onUnix.listen(join(folder, 'bare.sock'), resolve)),
    new Promise<void>((resolve) => onTcp.listen(0, '127.0.0.1', resolve)),
  ]);
  return {
    addresses: { unix: join(folder, 'bare.sock'), port: (onTcp.address() as AddressInfo).port, token: '' },
    async close() {
      for (const server of servers) server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
