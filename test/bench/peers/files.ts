// Files by the agent, by OpenBao's or Vault's agent and by consul-template, before the same embedded vault: start to the last
// of them, processor time, memory.
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createDevVault } from '@latchkey/devvault/dev-vault.ts';
import {
  endPeer,
  type Memory,
  memoryOf,
  middle,
  namedProgram,
  ourProgram,
  processorMs,
  startPeer,
} from './running.ts';

interface Peer {
  readonly name: string;
  readonly program: string;
  /** The text of its config, for files of `destinations`, each with the secret of the same place in the list. */
  config(place: Place): string;
  args(configPath: string): string[];
  readonly env: Record<string, string>;
}

interface Place {
  readonly folder: string;
  readonly address: string;
  readonly destinations: readonly string[];
}

interface Measured extends Memory {
  readonly startMs: number;
  /** Of all threads, until the last file was there. */
  readonly processorMs: number;
}

const settleMs = 5000;
const limitMs = 120_000;

const latchkey: Peer = {
  name: 'latchkey',
  program: ourProgram,
  config: ({ folder, address, destinations }) =>
    JSON.stringify({
      upstreams: {
        vault: {
          kind: 'vault',
          address,
          auth: { method: 'token' },
          events: false,
          budget: { requests_per_second: 10_000, concurrency: 128 },
        },
      },
      secrets: Object.fromEntries(
        destinations.map((_, index) => [`s${index}`, { path: `secret/s${index}`, refresh: '1h' }]),
      ),
      files: destinations.map((destination, index) => ({
        contents: `{{ field "s${index}" "value" }}`,
        destination,
        create_parents: true,
      })),
      state_dir: join(folder, 'state'),
      log: { level: 'error' },
    }),
  args: (path) => ['agent', '--config', path],
  env: { VAULT_TOKEN: 'root' },
};

function templates(destinations: readonly string[]): string {
  const text = (destination: string, index: number) => `template {
  contents = "{{ with secret \\"secret/data/s${index}\\" }}{{ .Data.data.value }}{{ end }}"
  destination = "${destination}"
}
`;
  return destinations.map(text).join('');
}

function vaultAgent(program: string): Peer {
  return {
    name: "vault's own agent",
    program,
    config({ folder, address, destinations }) {
      writeFileSync(join(folder, 'root-token'), 'root');
      return `vault { address = "${address}" }
auto_auth { method "token_file" { config = { token_file_path = "${join(folder, 'root-token')}" } } }
template_config { static_secret_render_interval = "1h" }
${templates(destinations)}`;
    },
    args: (path) => ['agent', `-config=${path}`, '-log-level=error'],
    env: {},
  };
}

function consulTemplate(program: string): Peer {
  return {
    name: 'consul-template',
    program,
    config: ({ address, destinations }) => `vault {
  address = "${address}"
  renew_token = false
}
${templates(destinations)}`,
    args: (path) => ['-config', path, '-log-level', 'err'],
    env: { VAULT_TOKEN: 'root' },
  };
}

/** Those whose binaries are named; says which are not. */
function namedPeers(): Peer[] {
  const known = [
    ['LATCHKEY_TEST_VAULT', vaultAgent],
    ['LATCHKEY_PEER_CONSUL_TEMPLATE', consulTemplate],
  ] as const;
  return known.flatMap(([variable, create]) => {
    const program = namedProgram(variable);
    return program === undefined ? [] : [create(program)];
  });
}

async function measure(peer: Peer, address: string, count: number, compiled: string): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-peers-'));
  const destinations = Array.from({ length: count }, (_, index) => join(folder, 'files', `s${index}.conf`));
  const configPath = join(folder, peer === latchkey ? 'config.json' : 'config.hcl');
  writeFileSync(configPath, peer.config({ folder, address, destinations }));
  const begin = performance.now();
  const env = { CACHE_DIRECTORY: compiled, ...peer.env };
  const child = startPeer(peer.program, peer.args(configPath), folder, env);
  try {
    await untilThere(child, destinations);
    const startMs = performance.now() - begin;
    const untilThen = processorMs(child.pid);
    await delay(settleMs);
    return { startMs, processorMs: untilThen, ...memoryOf(child.pid) };
  } finally {
    await endPeer(child);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function untilThere(child: ChildProcess, paths: readonly string[]): Promise<void> {
  const end = performance.now() + limitMs;
  let at = 0;
  while (at < paths.length) {
    const path = paths[at] ?? '';
    if (existsSync(path) && readFileSync(path, 'utf8') !== '') at += 1;
    else if (child.exitCode !== null || performance.now() > end)
      throw new Error(`${child.spawnfile} did not write ${path}`);
    else await delay(1);
  }
}

async function compare(
  peers: readonly Peer[],
  options: { address: string; count: number; rounds: number; compiled: string },
): Promise<void> {
  const { address, count, rounds, compiled } = options;
  const measured = new Map(peers.map((peer) => [peer, [] as Measured[]]));
  // The first of ours fills the folder of compiled code, as the first start on a host does.
  await measure(latchkey, address, 1, compiled);
  for (let round = 0; round < rounds; round += 1)
    for (const [peer, all] of measured) all.push(await measure(peer, address, count, compiled));
  const figure = (all: readonly Measured[], key: keyof Measured) => middle(all.map((one) => one[key]));
  const ours = measured.get(latchkey) ?? [];
  console.log(
    `\n| ${count} files on ${count} secrets | start | processor | resident | anonymous | start, of ours |`,
  );
  console.log('|---|---|---|---|---|---|');
  for (const [{ name }, all] of measured) {
    const ratio = figure(all, 'startMs') / figure(ours, 'startMs');
    const times = (['startMs', 'processorMs'] as const).map((key) => `${figure(all, key).toFixed(0)} ms`);
    const memory = (['residentMiB', 'anonymousMiB'] as const).map(
      (key) => `${figure(all, key).toFixed(1)} MiB`,
    );
    console.log(`| ${[name, ...times, ...memory, `${ratio.toFixed(2)} ×`].join(' | ')} |`);
  }
}

export async function compareFiles(rounds: number): Promise<void> {
  const peers = [latchkey, ...namedPeers()];
  const compiled = mkdtempSync(join(process.env['HOME'] ?? tmpdir(), '.latchkey-peers-'));
  const vault = createDevVault({ rootToken: 'root' });
  try {
    const address = await vault.start();
    for (let index = 0; index < 1000; index += 1)
      await vault.request('PUT', `secret/data/s${index}`, { data: { value: `value ${index}` } });
    await compare(peers, { address, count: 1, rounds, compiled });
    await compare(peers, { address, count: 1000, rounds: Math.min(rounds, 3), compiled });
  } finally {
    await vault.close();
    rmSync(compiled, { recursive: true, force: true });
  }
}
