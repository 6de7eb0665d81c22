// The vault that the templates of a corpus are rendered from: a real one where a program is found (a namespace for each
// template), else the embedded one (started again for each template), which signs no keys of SSH.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createDevVault, type DevVault } from '@latchkey/devvault/dev-vault.ts';
import { freePort } from '../../../src/base/system/free-port.ts';
import { isJsonObject, type JsonObject, parseJson, stringifyJson } from '../../../src/base/text/json.ts';
import { findRealVault } from '../real-vault.ts';
import type { TemplateMeta } from './template-corpus.ts';

export interface CorpusVault {
  readonly isReal: boolean;
  /** An empty vault, or a namespace of it, with what the template needs. */
  prepare(
    seedFile: string,
    meta: Pick<TemplateMeta, 'pki_roles' | 'ssh_roles'>,
  ): Promise<{ address: string; namespace: string; token: string }>;
  close(): Promise<void>;
}

interface Seed {
  readonly mounts?: Readonly<Record<string, { type: string; options?: Record<string, string> }>>;
}

const token = 'root';
const startDeadlineMs = 30_000;

export async function startCorpusVault(): Promise<CorpusVault> {
  const program = findRealVault();
  return program === undefined ? createEmbedded() : startReal(program);
}

function createEmbedded(): CorpusVault {
  let vault: DevVault | undefined;
  return {
    isReal: false,
    async prepare(seedFile, meta) {
      await vault?.close();
      vault = createDevVault({ rootToken: token });
      const address = await vault.start();
      await fill(address, '', seedFile, meta);
      return { address, namespace: '', token };
    },
    close: async () => vault?.close(),
  };
}

async function startReal(program: string): Promise<CorpusVault> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const flags = [
    'server',
    '-dev',
    '-dev-no-store-token',
    `-dev-listen-address=127.0.0.1:${port}`,
    `-dev-root-token-id=${token}`,
  ];
  const child = spawn(program, flags, {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' },
  });
  await untilItAnswers(address, child);
  let count = 0;
  return {
    isReal: true,
    async prepare(seedFile, meta) {
      const namespace = `corpus-${++count}`;
      await ask(address, '', 'POST', `sys/namespaces/${namespace}`, {});
      await fill(address, namespace, seedFile, meta);
      return { address, namespace, token };
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.kill()) await ended;
    },
  };
}

async function untilItAnswers(address: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + startDeadlineMs;
  for (;;) {
    const response = await fetch(`${address}/v1/sys/health`).catch(() => undefined);
    if (response?.ok === true) return;
    if (child.exitCode !== null || performance.now() > end) throw new Error('the vault does not start');
    await delay(100);
  }
}

async function fill(
  address: string,
  namespace: string,
  seedFile: string,
  meta: Pick<TemplateMeta, 'pki_roles' | 'ssh_roles'>,
): Promise<void> {
  const text = readFileSync(seedFile, 'utf8');
  const { mounts = {} } = JSON.parse(text) as Seed;
  // Numbers as they are written.
  const seed = parseJson(text);
  const secrets = isJsonObject(seed) && isJsonObject(seed['secrets']) ? seed['secrets'] : {};
  const wanted = { secret: { type: 'kv', options: { version: '2' } }, ...mounts };
  const send = (method: string, path: string, body: object) => ask(address, namespace, method, path, body);
  await ask(address, namespace, 'DELETE', 'sys/mounts/secret').catch(() => undefined); // a namespace has none
  for (const [mount, { type, options }] of Object.entries(wanted))
    await send('POST', `sys/mounts/${mount}`, { type, options });
  for (const [mount, roles] of Object.entries(meta.pki_roles ?? {})) {
    await send('POST', `sys/mounts/${mount}/tune`, { max_lease_ttl: '87600h' });
    await send('POST', `${mount}/root/generate/internal`, { common_name: 'root.example', ttl: '8760h' });
    for (const role of roles) {
      const fields = { allow_any_name: true, enforce_hostnames: false, require_cn: false, ttl: '24h' };
      await send('POST', `${mount}/roles/${role}`, fields);
    }
  }
  for (const [mount, roles] of Object.entries(meta.ssh_roles ?? {})) {
    await send('POST', `${mount}/config/ca`, { generate_signing_key: true });
    for (const role of roles) {
      const fields = {
        key_type: 'ca',
        allow_user_certificates: true,
        allowed_users: '*',
        allowed_domains: '*',
        default_user: 'u',
        ttl: '24h',
      };
      await send('POST', `${mount}/roles/${role}`, {
        ...fields,
        allow_host_certificates: true,
        allow_subdomains: true,
        allow_bare_domains: true,
      });
    }
  }
  for (const [path, data] of Object.entries(secrets)) {
    const mount =
      Object.keys(wanted)
        .filter((name) => path.startsWith(`${name}/`))
        .sort((a, b) => b.length - a.length)[0] ?? '';
    const isSecond =
      (wanted as Record<string, { options?: Record<string, string> }>)[mount]?.options?.[
        'version'
      ]?.toString() === '2';
    const rest = path.slice(mount.length + 1);
    if (!isJsonObject(data)) continue;
    if (isSecond) await writeVersioned(send, `${mount}/data/${rest}`, data);
    else await send('POST', path, data);
  }
}

/** A KV 2 mount is upgraded for a moment after it was made. */
async function writeVersioned(
  send: (method: string, path: string, body: object) => Promise<void>,
  path: string,
  data: object,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await send('POST', path, { data });
    } catch (error) {
      if (tries > 40) throw error;
      await delay(50);
    }
  }
}

async function ask(
  address: string,
  namespace: string,
  method: string,
  path: string,
  body?: object,
): Promise<void> {
  const response = await fetch(`${address}/v1/${path.split('/').map(encodeURIComponent).join('/')}`, {
    method,
    headers: { 'X-Vault-Token': token, ...(namespace === '' ? {} : { 'X-Vault-Namespace': namespace }) },
    ...(body === undefined ? {} : { body: stringifyJson(body as JsonObject) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}
