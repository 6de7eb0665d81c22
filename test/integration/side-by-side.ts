// consul-template and envconsul beside ours: the same file under both, against one vault, with a program that is started again
// or told by a signal. The real ones are those of the PATH, or of LATCHKEY_TEST_CONSUL_TEMPLATE and LATCHKEY_TEST_ENVCONSUL.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { isExecutable } from '../../src/base/system/executable.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

type Tool = 'consul-template' | 'envconsul';

const main = join(import.meta.dirname, '../../src/main.ts');
const variables = {
  'consul-template': 'LATCHKEY_TEST_CONSUL_TEMPLATE',
  envconsul: 'LATCHKEY_TEST_ENVCONSUL',
} as const;

function findReal(tool: Tool): string | undefined {
  const named = process.env[variables[tool]];
  if (named) return named;
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, tool))
    .find(isExecutable);
}

function programsOf(t: Test, tool: Tool): [name: string, command: readonly string[]][] {
  const ours: [string, readonly string[]] = ['ours', [process.execPath, main, tool]];
  const real = findReal(tool);
  if (real !== undefined) return [ours, ['theirs', [real]]];
  t.pass('beside the real one', { skip: `no ${tool} on the PATH, and ${variables[tool]} is not set` });
  return [ours];
}

interface Scenario {
  readonly config: string;
  /** What the file `ran` says, and the password that is written then. */
  readonly steps: readonly { readonly told: string; readonly next?: string }[];
  /** Of the program's own end; undefined: it does not end by itself. */
  readonly code?: number;
}

async function compare(t: Test, tool: Tool, { config, steps, code }: Scenario): Promise<string[]> {
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { password: 'p1' });
  const runs = programsOf(t, tool).map(([name, [word = '', ...words]]) => {
    const folder = join(testFolder(t), name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'c.hcl'), config.replace('ADDRESS', vault.address));
    const child = spawn(word, [...words, '-config', 'c.hcl'], {
      cwd: folder,
      env: {
        ...{ PATH: process.env['PATH'] ?? '', HOME: folder, VAULT_TOKEN: vault.rootToken, OWN: 'inherited' },
        STATE_DIRECTORY: join(folder, '.state'),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    child.stderr.on('data', (piece: Buffer) => {
      log += piece;
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    t.teardown(async () => {
      // Its program ends with it.
      child.kill('SIGTERM');
      await exited;
    });
    const told = () => (existsSync(join(folder, 'ran')) ? readFileSync(join(folder, 'ran'), 'utf8') : '');
    return { name, folder, exited, told, log: () => log };
  });
  for (const { told: wanted, next } of steps) {
    for (const { name, told, log } of runs) {
      const inVain = await waitFor(name, () => told() === wanted, 30_000).catch(() => 'in vain');
      if (inVain === 'in vain') t.fail(`${name} told ${JSON.stringify(told())}: ${log().slice(-500)}`);
    }
    if (next !== undefined) await vault.writeSecret('secret/app', { password: next });
  }
  if (code !== undefined)
    for (const { name, exited, log } of runs)
      t.equal(await exited, code, `the code of ${name}: ${log().slice(-300)}`);
  t.pass(`${runs.length} programs`);
  return runs.map(({ folder }) => folder);
}

const vaultBlock = 'vault { address = "ADDRESS" default_lease_duration = "1s" renew_token = false }';
const template = `template {
  contents = "{{ with secret \\"secret/app\\" }}{{ .Data.data.password }}{{ end }}"
  destination = "new/out"
  perms = 0604
  command = "echo command $(cat new/out) >> ran"
}`;

t.test('consul-template starts its program again when a file changes', async (t) => {
  const folders = await compare(t, 'consul-template', {
    config: `${vaultBlock}
${template}
exec {
  command = ["sh", "-c", "trap 'echo told to end >> ran; exit 0' USR1; echo started $(cat new/out) $OWN >> ran; while :; do sleep 0.05; done"]
  kill_signal = "SIGUSR1"
  kill_timeout = "5s"
}
`,
    steps: [
      { told: 'command p1\nstarted p1 inherited\n', next: 'p2' },
      { told: 'command p1\nstarted p1 inherited\ncommand p2\ntold to end\nstarted p2 inherited\n' },
    ],
  });
  for (const folder of folders)
    t.equal((statSync(join(folder, 'new/out')).mode & 0o777).toString(8), '604', folder);
});

t.test('consul-template tells its program by a signal, where one is named', async (t) => {
  await compare(t, 'consul-template', {
    config: `${vaultBlock}
${template}
exec {
  command = ["sh", "-c", "trap 'echo told $(cat new/out) >> ran; exit 6' HUP; echo started >> ran; while :; do sleep 0.05; done"]
  reload_signal = "SIGHUP"
}
`,
    steps: [
      { told: 'command p1\nstarted\n', next: 'p2' },
      { told: 'command p1\nstarted\ncommand p2\ntold p2\n' },
    ],
    code: 6,
  });
});

t.test('envconsul starts its program again with the new value', async (t) => {
  await compare(t, 'envconsul', {
    config: `${vaultBlock}
upcase = true
secret { path = "secret/app" no_prefix = true format = "APP_{{ key }}" }
exec {
  command = "[ $APP_PASSWORD = p3 ] && exit 8; echo $APP_PASSWORD $OWN >> ran; while :; do sleep 0.05; done"
  kill_signal = "SIGTERM"
}
`,
    steps: [
      { told: 'p1 inherited\n', next: 'p2' },
      { told: 'p1 inherited\np2 inherited\n', next: 'p3' },
    ],
    code: 8,
  });
});
