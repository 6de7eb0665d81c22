// Who asks is not taken for more than they are: root of another namespace, the heir of a connection, a made-up container.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isGivenAway, isMadeByRoot, parseCgroup } from '../../src/access/cgroup.ts';
import type { ClientMatch } from '../../src/config/resolved.ts';
import { needsRoot } from '../support/needs-root.ts';
import { getScript, runAs } from '../support/other-user.ts';
import { startServing, unixListener } from '../support/serving.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

async function withServing(t: Test) {
  const serving = await startServing({
    listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['secrets', 'admin'], { mode: 0o666 })],
  });
  t.teardown(serving.close);
  chmodSync(serving.folder, 0o755);
  serving.put('stripe', { key: 'k' });
  return serving;
}

const inNamespace = (flags: string[]) => {
  const run = (args: string[]) =>
    spawnSync('unshare', [...flags, ...args], { encoding: 'utf8', timeout: 120_000 });
  const skip =
    needsRoot || (run(['true']).status === 0 ? false : `unshare ${flags.join(' ')} is not possible here`);
  return { skip, run };
};

for (const [name, flags] of Object.entries({
  'pid namespace': ['--pid', '--fork', '--mount-proc'],
  'user namespace': ['--user', '--map-root-user'],
  'pid and user namespace': ['--user', '--map-root-user', '--pid', '--fork'],
})) {
  const { skip, run } = inNamespace(flags);
  t.test(`uid 0 of another ${name} is not root`, { skip }, async (t) => {
    const serving = await withServing(t);
    const node = [process.execPath, '--input-type=module', '-e', getScript, serving.socketPath];
    // Not spawnSync: this process answers.
    const { spawn } = await import('node:child_process');
    const ask = (path: string): Promise<string> =>
      new Promise((resolve) => {
        const child = spawn('unshare', [...flags, ...node, path], { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        child.stdout.on('data', (chunk) => {
          text += String(chunk);
        });
        child.on('close', () => resolve(text));
      });
    t.equal(run(['true']).status, 0);
    for (const path of ['/secrets/stripe', '/status', '/secrets']) t.match(await ask(path), /^403/, path);
    t.match(
      await runAs(0, getScript, [serving.socketPath, '/secrets/stripe/key']),
      /^200 k/,
      'the real one is',
    );
  });
}

/** Asks, hands the connection to a child, ends; the child asks again once it has no parent any more. */
const passOnScript = `
  import { spawn } from 'node:child_process';
  import { connect } from 'node:net';
  const [path] = process.argv.slice(1);
  const request = 'GET /secrets/stripe/key HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n';
  const socket = connect(path, () => socket.write(request));
  socket.once('data', (bytes) => {
    console.log(String(bytes).slice(9, 12));
    const heir = \`
      const { Socket } = require('node:net');
      const first = \${process.pid};
      const timer = setInterval(() => {
        if (process.ppid === first) return;
        clearInterval(timer);
        const socket = new Socket({ fd: 3 });
        socket.on('data', (bytes) => { console.log(String(bytes).slice(9, 12)); process.exit(); });
        socket.write(\${JSON.stringify(request)});
      }, 20);\`;
    spawn(process.execPath, ['-e', heir], { stdio: ['ignore', 'inherit', 'inherit', socket._handle.fd], detached: true }).unref();
    process.exit();
  });
`;

t.test(
  'a connection is nobody’s from the next request on when its process has ended',
  { skip: process.platform !== 'linux' && 'needs Linux' },
  async (t) => {
    const serving = await withServing(t);
    const output = await runAs(process.getuid?.() ?? 0, passOnScript, [serving.socketPath]);
    t.strictSame(output.trim().split('\n'), ['200', '403']);
  },
);

t.test('a container is one only where nobody but root can make its cgroup', { skip: needsRoot }, (t) => {
  const id = 'a'.repeat(64);
  const root = testFolder(t);
  chmodSync(root, 0o755);
  const claim = (path: string, roots = [root]): string | undefined => {
    const { container, above } = parseCgroup(`0::${path}\n`);
    return container !== undefined && isMadeByRoot(above, roots) ? container : undefined;
  };
  for (const folder of ['system.slice/ci-runner.service', 'docker', 'lxc.payload.c1', 'shared.slice']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  chownSync(join(root, 'system.slice/ci-runner.service'), 61_001, 61_001);
  chownSync(join(root, 'lxc.payload.c1'), 100_000, 100_000);
  chmodSync(join(root, 'shared.slice'), 0o777);
  t.equal(claim(`/docker/${id}`), id);
  t.equal(claim(`/system.slice/docker-${id}.scope`), id);
  t.equal(claim(`/docker/${id}/nested/${'b'.repeat(64)}`), id, 'the first: the second is its own word');
  t.equal(claim(`/system.slice/ci-runner.service/${id}`), undefined, 'Delegate= with User=');
  t.equal(claim(`/lxc.payload.c1/docker/${id}`), undefined, 'a container of another kind');
  t.equal(claim(`/shared.slice/${id}`), undefined);
  t.equal(claim(`/../${id}`), undefined, 'outside of what can be looked at');
  t.equal(claim(`/docker/${id}`, ['/nowhere']), undefined);
  t.end();
});

const hierarchy = '/sys/fs/cgroup/systemd';

t.test('a unit is none below a slice that was given away', { skip: needsRoot }, async (t) => {
  const root = testFolder(t);
  chmodSync(root, 0o755);
  const claim = (path: string): string | undefined => {
    const { unit, slices } = parseCgroup(`0::${path}\n`);
    return unit !== undefined && !isGivenAway(slices, ['/nowhere', root]) ? unit : undefined;
  };
  for (const folder of ['system.slice/web.slice', 'ci.slice/jobs.slice', 'all.slice'])
    mkdirSync(join(root, folder), { recursive: true });
  chownSync(join(root, 'ci.slice'), 61_001, 61_001);
  chmodSync(join(root, 'all.slice'), 0o777);
  t.equal(claim('/system.slice/nginx.service'), 'nginx.service');
  t.equal(claim('/system.slice/web.slice/nginx.service'), 'nginx.service');
  t.equal(claim('/init.scope'), 'init.scope');
  t.equal(
    claim('/unseen.slice/nginx.service'),
    'nginx.service',
    'systemd alone makes what is not mounted here',
  );
  t.equal(claim('/ci.slice/nginx.service'), undefined);
  t.equal(claim('/ci.slice/jobs.slice/nginx.service'), undefined);
  t.equal(claim('/all.slice/nginx.service'), undefined);

  await asksFrom(t, 'nginx.service', { unit: 'nginx.service' });
});

t.test('nor is a container one below what was given away', { skip: needsRoot }, async (t) => {
  const id = 'c'.repeat(64);
  await asksFrom(t, id, { container: id });
});

/** A process of another user puts itself below a cgroup of theirs, and may nothing by its name; where root made it, it may. */
async function asksFrom(t: Test, name: string, client: ClientMatch): Promise<void> {
  const top = join(hierarchy, `latchkey-test-${process.pid}.slice`);
  try {
    mkdirSync(top);
  } catch {
    t.comment('skipped: no hierarchy of systemd can be written here, so no process goes there');
    return;
  }
  t.teardown(() => rmdirSync(top));
  const serving = await startServing({
    rules: { strict: false, rules: [{ name: 'web', client, allow: ['stripe'], vault: [], admin: false }] },
    listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['secrets'], { mode: 0o666 })],
  });
  t.teardown(serving.close);
  chmodSync(serving.folder, 0o755);
  serving.put('stripe', { key: 'k' });
  const place = join(top, name);
  const script = `
    import { writeFileSync } from 'node:fs';
    writeFileSync(${JSON.stringify(place)} + '/cgroup.procs', String(process.pid));
    ${getScript}`;
  for (const [owner, expected] of [
    [61_001, /^403/],
    [0, /^200 k/],
  ] as const) {
    chownSync(top, owner, owner);
    mkdirSync(place);
    chownSync(place, 61_001, 61_001);
    chownSync(join(place, 'cgroup.procs'), 61_001, 61_001);
    chownSync(join(top, 'cgroup.procs'), 61_001, 61_001);
    t.match(await runAs(61_001, script, [serving.socketPath, '/secrets/stripe/key']), expected);
    await waitFor('it has ended', () => {
      try {
        rmdirSync(place);
      } catch {
        return false;
      }
      return true;
    });
  }
}
