// Secrets of AWS by the agent and by AWS's own agent, before the same moto: the same cached secret over HTTP. Ours twice, by a
// name of its config with rules and an audit file that denies, and by AWS's own config.toml, which knows neither.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { freePort } from '../../../src/base/system/free-port.ts';
import type { LoadJob } from '../serve-load.ts';
import { type Load, startLoad } from './load.ts';
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
  readonly args: readonly string[];
  readonly port: number;
}

interface Round {
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly processorUs: number;
}

const token = 'a-token-that-both-are-told';
const region = 'eu-central-1';
const keys = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };
const path = '/secretsmanager/get?secretId=stripe';
const roundMs = 1000;
/** Before the rounds, until nothing is compiled any more. */
const warmMs = 3000;
const settleMs = 5000;
const limitMs = 60_000;

export async function compareWithAwsAgent(rounds: number): Promise<void> {
  const program = namedProgram('LATCHKEY_PEER_AWS_AGENT');
  if (program === undefined) return;
  const moto = await startMoto();
  if (moto === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-peers-'));
  try {
    const env = { ...keys, AWS_REGION: region, AWS_ENDPOINT_URL: moto.address, AWS_TOKEN: token };
    const peers = await peersIn(folder, program);
    const places = {
      CACHE_DIRECTORY: join(folder, 'compiled'),
      STATE_DIRECTORY: join(folder, 'state-dropped-in'),
    };
    const run = (peer: Peer): ChildProcess =>
      startPeer(peer.program, peer.args, folder, { ...env, ...places });
    await compareStarts(peers, run, rounds);
    await compareAnswers(peers, run, rounds);
  } finally {
    await moto.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Undefined: there is none, and that was said. */
async function startMoto(): Promise<{ address: string; end: () => Promise<void> } | undefined> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const program = process.env['LATCHKEY_TEST_MOTO'] ?? 'moto_server';
  const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const isThere = await new Promise<boolean>((resolve) => {
    child.once('spawn', () => resolve(true));
    child.once('error', () => resolve(false));
  });
  if (!isThere) {
    console.log("without AWS's agent: moto_server is neither on the PATH nor named by LATCHKEY_TEST_MOTO");
    return undefined;
  }
  const client = new AwsClient({
    ...{ accessKeyId: keys.AWS_ACCESS_KEY_ID, secretAccessKey: keys.AWS_SECRET_ACCESS_KEY },
    ...{ service: 'secretsmanager', region, retries: 0 },
  });
  const SecretString = JSON.stringify({ key: 'sk_live_0123456789abcdefghijklmnopqrstuv', id: 'acct_1' });
  const create = () =>
    client.fetch(address, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'secretsmanager.CreateSecret',
      },
      body: JSON.stringify({ Name: 'stripe', SecretString }),
    });
  await until('moto', async () => (await create()).ok);
  return { address, end: () => endPeer(child) };
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > end) throw new Error(`${what} does not answer`);
    await delay(1);
  }
}

async function peersIn(folder: string, program: string): Promise<Peer[]> {
  const [named, drop, theirs] = [await freePort(), await freePort(), await freePort()];
  const config = {
    upstreams: { aws: { kind: 'aws' } },
    secrets: { stripe: { path: 'secretsmanager:stripe', refresh: '5m' } },
    listeners: [{ tcp: `127.0.0.1:${named}`, token_env: ['AWS_TOKEN'], serve: ['aws'] }],
    access: [{ name: 'bench', client: { token: 'listeners[0]' }, allow: ['stripe'] }],
    audit: { file: join(folder, 'audit.jsonl'), on_failure: 'deny' },
    state_dir: join(folder, 'state'),
    log: { level: 'error' },
  };
  // In folders of their own: ours watches that of its config, and each line of the audit file would wake it.
  const written = (name: string, text: string): string => {
    const file = join(mkdtempSync(join(folder, 'config-')), name);
    writeFileSync(file, text);
    return file;
  };
  const awsConfig = (port: number): string =>
    written(
      'config.toml',
      `http_port = ${port}\nregion = "${region}"\nlog_level = "ERROR"\nlog_to_file = false\n`,
    );
  const agent = (file: string) => ['agent', '--config', file];
  return [
    {
      name: 'latchkey, audited',
      program: ourProgram,
      args: agent(written('latchkey.json', JSON.stringify(config))),
      port: named,
    },
    {
      name: "latchkey, AWS's config.toml",
      ...{ program: ourProgram, args: agent(awsConfig(drop)), port: drop },
    },
    {
      name: "AWS's agent",
      ...{ program, args: ['--config', awsConfig(theirs)], port: theirs },
    },
  ];
}

/** On a connection of its own. */
function isAnswered({ port }: Peer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const headers = { 'x-aws-parameters-secrets-token': token };
  const sent = get({ port, host: '127.0.0.1', path, headers, agent: new Agent() }, (answer) => {
    answer.resume().once('end', () => resolve(answer.statusCode === 200));
  });
  sent.once('error', () => resolve(false));
  return promise;
}

async function compareStarts(
  peers: readonly Peer[],
  run: (peer: Peer) => ChildProcess,
  rounds: number,
): Promise<void> {
  const measured = new Map(peers.map((peer) => [peer, [] as (Memory & { ms: number; processor: number })[]]));
  // The first of ours fills the folder of compiled code, as the first start on a host does.
  for (let round = -1; round < rounds; round += 1) {
    for (const [peer, all] of measured) {
      const begin = performance.now();
      const child = run(peer);
      try {
        await until(peer.name, () => isAnswered(peer));
        const times = { ms: performance.now() - begin, processor: processorMs(child.pid) };
        if (round === 0) await delay(settleMs);
        const memory = round === 0 ? memoryOf(child.pid) : (all[0] ?? { residentMiB: 0, anonymousMiB: 0 });
        if (round >= 0) all.push({ ...times, ...memory });
      } finally {
        await endPeer(child);
      }
    }
  }
  console.log('\n| one secret of AWS | start to its first answer | processor | resident | anonymous |');
  console.log('|---|---|---|---|---|');
  for (const [{ name }, all] of measured) {
    const of = (key: keyof (typeof all)[number]) => middle(all.map((one) => one[key]));
    const memory = [of('residentMiB'), of('anonymousMiB')].map((one) => `${one.toFixed(1)} MiB`);
    const times = [of('ms'), of('processor')].map((one) => `${one.toFixed(0)} ms`);
    console.log(`| ${[name, ...times, ...memory].join(' | ')} |`);
  }
}

async function compareAnswers(
  peers: readonly Peer[],
  run: (peer: Peer) => ChildProcess,
  rounds: number,
): Promise<void> {
  const load = startLoad();
  const running = peers.map((peer) => ({ peer, child: run(peer) }));
  try {
    for (const { peer } of running) await until(peer.name, () => isAnswered(peer));
    for (const { peer } of running) await load.run(jobFor(peer, 32, warmMs));
    for (const connections of [1, 32]) {
      const measured = new Map(running.map((one) => [one, [] as Round[]]));
      for (let round = 0; round < rounds; round += 1) {
        for (const [one, all] of measured)
          all.push(await measure(load, one.peer, one.child.pid, connections));
      }
      show(connections, new Map([...measured].map(([{ peer }, all]) => [peer.name, all])));
    }
    const memory = running.map(({ peer, child }) => {
      const { residentMiB, anonymousMiB } = memoryOf(child.pid);
      return `${peer.name} ${residentMiB.toFixed(1)} MiB (${anonymousMiB.toFixed(1)})`;
    });
    console.log(`\nresident (anonymous) after that: ${memory.join(' | ')}`);
  } finally {
    load.end();
    for (const { child } of running) await endPeer(child);
  }
}

function jobFor({ port }: Peer, connections: number, durationMs: number): LoadJob {
  const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Aws-Parameters-Secrets-Token: ${token}\r\n\r\n`;
  return { target: { host: '127.0.0.1', port }, request, connections, durationMs };
}

async function measure(load: Load, peer: Peer, pid: number | undefined, connections: number): Promise<Round> {
  const before = processorMs(pid);
  const job = jobFor(peer, connections, roundMs);
  const { failures, requestsPerSecond, ...latency } = await load.run(job);
  if (failures > 0) throw new Error(`${peer.name}: ${failures} requests failed`);
  const processorUs = ((processorMs(pid) - before) * 1000) / ((requestsPerSecond * roundMs) / 1000);
  return { requestsPerSecond, ...latency, processorUs };
}

function show(connections: number, measured: ReadonlyMap<string, readonly Round[]>): void {
  const of = (all: readonly Round[], key: keyof Round) => middle(all.map((one) => one[key]));
  const theirs = [...measured.values()].at(-1) ?? [];
  const many = connections === 1 ? '1 connection' : `${connections} connections`;
  console.log(`\n| ${many} | requests a second | p50 / p99 | processor a request | of AWS's |`);
  console.log('|---|---|---|---|---|');
  for (const [name, all] of measured) {
    const ratios = all.map((one, round) => one.requestsPerSecond / (theirs[round]?.requestsPerSecond ?? 0));
    const columns = [
      `${of(all, 'requestsPerSecond').toFixed(0)}/s`,
      `${of(all, 'p50Us')} / ${of(all, 'p99Us')} µs`,
      `${of(all, 'processorUs').toFixed(1)} µs`,
      `${middle(ratios).toFixed(2)} ×`,
    ];
    console.log(`| ${[name, ...columns].join(' | ')} |`);
  }
}
