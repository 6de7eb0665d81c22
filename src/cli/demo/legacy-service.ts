// Four small programs as they are found in the wild. None knows of a vault: one reads a file again on SIGHUP, one is
// told to by a control command, one asks the agent, one has its settings in the environment. An entry of its own.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createConnection, createServer } from 'node:net';

const callEveryMs = 100;
const [mode = '', name = '', ...rest] = process.argv.slice(2);

/** The agent gives the key to others, not to this one. */
class Denied extends Error {}

interface Settings {
  stripeKey: string;
  database?: { user: string; password: string; port: number };
}

/** How a service gets its settings: now, and when it is told that they changed. */
const modes: Readonly<Record<string, (args: string[]) => () => Settings | Promise<Settings>>> = {
  sighup([file = '', pidFile = '']) {
    let settings = readSettings(file);
    process.on('SIGHUP', () => {
      settings = readSettings(file);
    });
    writeFileSync(pidFile, `${process.pid}\n`);
    return () => settings;
  },
  control([file = '', controlPath = '']) {
    let settings = readSettings(file);
    rmSync(controlPath, { force: true });
    const control = createServer((peer) => {
      settings = readSettings(file);
      peer.end('reloaded\n');
    });
    control.listen(controlPath);
    return () => settings;
  },
  agent([url = '', tokenFile = '']) {
    return async () => ({ stripeKey: await ask(url, readFileSync(tokenFile, 'utf8')) });
  },
  environment() {
    const stripeKey = process.env['STRIPE_API_KEY'] ?? '';
    return () => ({ stripeKey });
  },
};

/** The control command of `control`: `legacy-service reload NAME CONTROL_SOCKET`. */
function reload(controlPath: string): void {
  const peer = createConnection(controlPath, () => peer.resume());
  peer.on('error', (error) => {
    process.stderr.write(`cannot reach the service: ${error.message}\n`);
    process.exitCode = 1;
  });
}

function readSettings(file: string): Settings {
  return JSON.parse(readFileSync(file, 'utf8')) as Settings;
}

function ask(url: string, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { authorization: `Bearer ${token}` } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(text);
        else if (answer.statusCode === 403) reject(new Denied('no access'));
        else reject(new Error(`status ${answer.statusCode}`));
      });
    })
      .on('error', reject)
      .end();
  });
}

function charge(key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const url = `${process.env['PAYMENTS_URL']}/charges`;
    request(url, { method: 'POST', headers: { authorization: `Bearer ${key}`, service: name } }, (answer) => {
      answer.resume().on('end', () => resolve());
    })
      .on('error', reject)
      .end();
  });
}

function report(path: string, detail: string): void {
  request(`${process.env['PAYMENTS_URL']}${path}`, { method: 'POST', headers: { service: name, detail } })
    .on('error', () => process.exit(1))
    .on('response', (answer) => answer.resume())
    .end();
}

/** A login of its own for each query, as PHP does it: a credential that has ended shows at once. */
async function queryDatabase(database: NonNullable<Settings['database']>): Promise<void> {
  const { Client } = (await import('pg')).default;
  const client = new Client({ host: '127.0.0.1', database: 'postgres', ...database });
  try {
    await client.connect();
    await client.query('select 1');
    report('/queries', database.user);
  } catch (error) {
    report('/failed-queries', error instanceof Error ? error.message : 'failed');
  } finally {
    await client.end().catch(() => undefined); // a failed connect has nothing to end
  }
}

async function work(settings: () => Settings | Promise<Settings>): Promise<void> {
  try {
    const { stripeKey, database } = await settings();
    await Promise.all([charge(stripeKey), database ? queryDatabase(database) : undefined]);
  } catch (error) {
    if (error instanceof Denied) report('/denials', error.message);
    else report('/failures', error instanceof Error ? error.message : 'failed');
  }
  setTimeout(() => void work(settings), callEveryMs);
}

if (mode === 'reload') {
  reload(name);
} else {
  process.on('SIGTERM', () => process.exit(0));
  process.on('SIGINT', () => process.exit(0));
  const start = modes[mode];
  if (start === undefined) throw new Error(`unknown kind of service: ${mode}`);
  void work(start(rest));
}
