// The agent beside its peers: OpenBao's or Vault's agent (`LATCHKEY_TEST_VAULT=/path/to/bao`) and consul-template
// (`LATCHKEY_PEER_CONSUL_TEMPLATE=/path/to/consul-template`), in turn within one run, before the same embedded vault. Then
// cached leases beside the proxy of the first. `npm run bench:peers [-- --rounds 5]`
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createDevVault } from '@latchkey/devvault/dev-vault.ts';

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

interface Measured {
  readonly startMs: number;
  /** Of all threads, until the last file was there. */
  readonly processorMs: number;
  readonly residentMiB: number;
  /** What is not a page of a file. */
  readonly anonymousMiB: number;
}

const settleMs = 5000;
const limitMs = 120_000;

const latchkey: Peer = {
  name: 'latchkey',
  program: resolve(import.meta.dirname, '../../dist/main.js'),
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
    const program = process.env[variable];
    if (program !== undefined) return [create(program)];
    console.log(`without a peer: ${variable} names no binary`);
    return [];
  });
}

async function measure(peer: Peer, address: string, count: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-peers-'));
  const destinations = Array.from({ length: count }, (_, index) => join(folder, 'files', `s${index}.conf`));
  const configPath = join(folder, peer === latchkey ? 'config.json' : 'config.hcl');
  writeFileSync(configPath, peer.config({ folder, address, destinations }));
  const begin = performance.now();
  const child = spawn(peer.program, peer.args(configPath), {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      CACHE_DIRECTORY: compiled,
      ...peer.env,
    },
    stdio: 'ignore',
  });
  const ended = new Promise((resolveEnd) => child.once('exit', resolveEnd));
  try {
    await untilThere(child, destinations);
    const startMs = performance.now() - begin;
    const processorMs = processorTime(child.pid);
    await delay(settleMs);
    return { startMs, processorMs, ...memoryOf(child.pid) };
  } finally {
    child.kill('SIGINT'); // what consul-template ends by
    await ended;
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

function processorTime(pid: number | undefined): number {
  const folder = `/proc/${pid}/task`;
  const ofThread = (thread: string) =>
    Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(folder).reduce((sum, thread) => sum + ofThread(thread), 0) / 1e6;
}

function memoryOf(pid: number | undefined): { residentMiB: number; anonymousMiB: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { residentMiB: mib('Rss'), anonymousMiB: mib('Anonymous') };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function compare(
  peers: readonly Peer[],
  address: string,
  count: number,
  rounds: number,
): Promise<void> {
  const measured = new Map(peers.map((peer) => [peer, [] as Measured[]]));
  // The first of ours fills the folder of compiled code, as the first start on a host does.
  await measure(latchkey, address, 1);
  for (let round = 0; round < rounds; round += 1)
    for (const [peer, all] of measured) all.push(await measure(peer, address, count));
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

const compiled = mkdtempSync(join(process.env['HOME'] ?? tmpdir(), '.latchkey-peers-'));

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
  const rounds = Number(values.rounds);
  const peers = [latchkey, ...namedPeers()];
  const vault = createDevVault({ rootToken: 'root' });
  try {
    const address = await vault.start();
    for (let index = 0; index < 1000; index += 1)
      await vault.request('PUT', `secret/data/s${index}`, { data: { value: `value ${index}` } });
    await compare(peers, address, 1, rounds);
    await compare(peers, address, 1000, Math.min(rounds, 3));
  } finally {
    await vault.close();
    rmSync(compiled, { recursive: true, force: true });
  }
  console.log('\ncached leases over the Vault API, beside the proxy:');
  spawnSync(process.execPath, [join(import.meta.dirname, 'vault-agent.ts')], { stdio: 'inherit' });
}

await main();
