// config/latchkey.service: how much it takes away, and that the agent does all that root is for with what it leaves.
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { findSystemProgram } from '../../src/base/system/system-program.ts';
import { askSocket, nodeOptions, program } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { needsRoot } from '../support/needs-root.ts';
import { getScript, nobody, runAs } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const unit = resolve(import.meta.dirname, '../../config/latchkey.service');
const text = readFileSync(unit, 'utf8');
const setpriv = findSystemProgram('setpriv');
const hasAnalyze = spawnSync('systemd-analyze', ['security', '--help'], {
  encoding: 'utf8',
}).stdout?.includes('--offline');

t.test(
  'its exposure is 2.5 at most',
  { skip: hasAnalyze === true ? false : 'needs systemd-analyze with --offline' },
  async (t) => {
    const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], {
      encoding: 'utf8',
    });
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    t.ok(exposure <= 2.5, String(exposure));
  },
);

t.test('a wrong config is not started again and again, and the program is where npm puts it', async (t) => {
  t.match(text, /^RestartPreventExitStatus=2$/m);
  t.match(text, /^ExecStart=\/usr\/local\/bin\/latchkey agent /m);
  t.match(text, /^CacheDirectory=latchkey$/m);
  t.match(text, /^CacheDirectoryMode=0700$/m);
});

const skip = needsRoot !== false ? needsRoot : setpriv === undefined ? 'needs setpriv' : false;

t.test(
  'with its capabilities alone the agent owns files for others, starts, signals and tells them apart',
  { skip },
  async (t) => {
    const capabilities = (/^CapabilityBoundingSet=(.+)$/m.exec(text)?.[1] ?? '')
      .split(' ')
      .map((name) => name.replace('CAP_', '+').toLowerCase());
    t.not(capabilities.length, 0);
    const folder = testFolder(t);
    const app = join(folder, 'app');
    mkdirSync(app);
    chownSync(app, nobody, nobody);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { word: 'value' });
    const socket = join(folder, 'latchkey.sock');
    const log = join(folder, 'log');
    const config = {
      upstreams: { vault: { address: vault.address, auth: { method: 'token' } } },
      secrets: { app: { path: 'secret/app' } },
      files: [
        {
          contents: '{{ field "app" "word" }}',
          destination: join(app, 'conf'),
          owner: 'nobody',
          mode: '0400',
        },
      ],
      processes: [{ name: 'legacy', command: ['sleep', '600'], user: 'nobody', stop: { timeout: '5s' } }],
      listeners: [{ unix: socket, mode: '0666', serve: ['secrets', 'admin'] }],
      access: [{ name: 'by-program', client: { exe: process.execPath }, allow: ['app'] }],
      state_dir: join(folder, 'state'),
      log: { level: 'debug', file: log },
    };
    writeFileSync(join(folder, 'latchkey.json'), JSON.stringify(config), { mode: 0o600 });
    const bounds = `--bounding-set=-all,${capabilities.join(',')}`;
    const words = [
      bounds,
      '--inh-caps=-all',
      '--no-new-privs',
      process.execPath,
      ...nodeOptions,
      program,
      'agent',
    ];
    const agent = spawn(setpriv ?? '', [...words, '--config', join(folder, 'latchkey.json')], {
      env: { PATH: process.env['PATH'] ?? '', VAULT_TOKEN: vault.rootToken },
      stdio: 'ignore',
    });
    t.teardown(() => agent.kill('SIGKILL'));
    const isReady = async () => (await askSocket(socket, '/readyz').catch(() => undefined))?.status === 200;
    await waitFor('the agent is ready', isReady);
    const bounding = /CapBnd:\s+(\w+)/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1];
    t.equal(BigInt(`0x${bounding}`) & (1n << 19n), 0n, 'it has no CAP_SYS_PTRACE');

    t.match(statSync(join(app, 'conf')), { uid: nobody, mode: 0o100400 });
    const status = JSON.parse((await askSocket(socket, '/status')).text) as { processes: { pid: number }[] };
    const pid = status.processes[0]?.pid ?? 0;
    t.equal(statSync(`/proc/${pid}`).uid, nobody);
    t.equal(
      await runAs(nobody, getScript, [socket, '/secrets/app/word']),
      '200 value\n',
      "a rule by exe knows another user's program",
    );
    t.match(
      readFileSync(`/proc/${agent.pid}/status`, 'utf8'),
      /Uid:\s+0\s+0\s+0\s+0\n/,
      'the rights for files are its own again',
    );
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill('SIGTERM');
    t.equal(await ended, 0);
    t.equal(statSync(`/proc/${pid}`, { throwIfNoEntry: false }), undefined, 'the process was ended');
  },
);
