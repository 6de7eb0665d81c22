// The load of test/bench/serve.ts, in a process of its own: keep-alive connections over net sockets, one request in
// flight on each. Reads one job a line from stdin, prints one result a line.
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface LoadJob {
  readonly target: { readonly path: string } | { readonly port: number; readonly host: string };
  readonly request: string;
  readonly connections: number;
  readonly durationMs: number;
  /** Connections that each made one request and then stay open, beside the others, until the next job. */
  readonly idle?: number;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly failures: number;
}

/** Those of the job before. */
let idle: Socket[] = [];

async function keepIdle(job: LoadJob, request: Buffer): Promise<void> {
  for (const socket of idle) socket.destroy();
  idle = [];
  while (idle.length < (job.idle ?? 0)) {
    const some = await Promise.all(Array.from({ length: 100 }, () => open(job.target)));
    await Promise.all(
      some.map((socket) => {
        socket.write(request);
        return new Promise((resolve) => socket.once('data', resolve));
      }),
    );
    idle.push(...some);
  }
}

async function runLoad(job: LoadJob): Promise<LoadResult> {
  const request = Buffer.from(job.request, 'latin1');
  await keepIdle(job, request);
  const latencies: number[] = [];
  let failures = 0;
  let isOver = false;
  const sockets = await Promise.all(Array.from({ length: job.connections }, () => open(job.target)));
  const done = sockets.map(
    (socket) =>
      new Promise<void>((resolve) => {
        let sentAt = 0;
        let missing = 0;
        let isWarm = false;
        const send = (): void => {
          if (isOver) {
            socket.destroy();
            resolve();
            return;
          }
          sentAt = performance.now();
          socket.write(request);
        };
        socket.on('data', (bytes: Buffer) => {
          if (missing === 0) {
            const { length, isOk } = sizeOf(bytes);
            if (!isOk) failures += 1;
            missing = length;
          }
          missing -= bytes.length;
          if (missing > 0) return;
          // The first one waits for the connection to be accepted, among all the others.
          if (isWarm) latencies.push(performance.now() - sentAt);
          isWarm = true;
          missing = 0;
          send();
        });
        socket.on('close', () => {
          if (!isOver) failures += 1;
          resolve();
        });
        send();
      }),
  );
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, job.durationMs));
  const elapsedMs = performance.now() - startedAt;
  const count = latencies.length;
  isOver = true;
  await Promise.all(done);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 1000);
  return {
    requestsPerSecond: Math.round((count / elapsedMs) * 1000),
    p50Us: at(0.5),
    p99Us: at(0.99),
    failures,
  };
}

/** The head comes in one piece: answers are small and written at once. Not all write `Content-Length` so. */
function sizeOf(bytes: Buffer): { length: number; isOk: boolean } {
  const end = bytes.indexOf('\r\n\r\n');
  const at = bytes.indexOf('ength: ');
  const length = end + 4 + Number.parseInt(bytes.toString('latin1', at + 7, at + 15), 10);
  return { length, isOk: bytes.toString('latin1', 9, 12) === '200' };
}

function open(target: LoadJob['target']): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...target, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await runLoad(JSON.parse(line) as LoadJob);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
