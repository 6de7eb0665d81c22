// What others can write decides nothing: config, templates, programs, credentials, state and the folders above them.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findPathFault } from '../../src/base/paths/trusted-path.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trustFault } from '../../src/config/resolve/check-modes.ts';
import type { ResolvedConfig } from '../../src/config/resolved.ts';
import { createTlsWatch } from '../../src/upstream/http/tls-watch.ts';
import { createTransport } from '../../src/upstream/http/transport.ts';
import { createAuthority } from '../support/certificates.ts';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { recordLogs } from '../support/record-logs.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Host {
  readonly folder: string;
  path(name: string): string;
  /** Writes a file, mode 0600. */
  write(name: string, text: string, mode?: number): string;
  load(config?: Record<string, unknown>): ResolvedConfig;
}

function host(t: Test): Host {
  const folder = testFolder(t);
  const path = (name: string) => join(folder, name);
  const write = (name: string, text: string, mode = 0o600) => {
    mkdirSync(join(path(name), '..'), { recursive: true, mode: 0o755 });
    writeFileSync(path(name), text);
    chmodSync(path(name), mode);
    return path(name);
  };
  return {
    folder,
    path,
    write,
    load(config = {}) {
      const upstreams = { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } };
      write('conf/latchkey.yaml', JSON.stringify({ upstreams, state_dir: path('state'), ...config }));
      return loadConfig([path('conf/latchkey.yaml')], { env: { PATH: '/usr/bin:/bin' } });
    },
  };
}

const refused = (message: RegExp) => ({ code: 'config_invalid', message });

t.test('a config that others can write is refused, with path, mode and remedy', async (t) => {
  const { path, load } = host(t);
  load();
  const read = () => loadConfig([path('conf/latchkey.yaml')], { env: {} });
  for (const mode of [0o666, 0o602, 0o606]) {
    chmodSync(path('conf/latchkey.yaml'), mode);
    const told = `config ${path('conf/latchkey.yaml')} can be written by everybody (mode 0${mode.toString(8)}); chmod o-w `;
    t.throws(read, { code: 'config_invalid', message: new RegExp(told.replaceAll(/[()]/g, '\\$&')) });
  }
  chmodSync(path('conf/latchkey.yaml'), 0o644);
  t.doesNotThrow(read, 'to be read by all is no fault of a config');
  chmodSync(path('conf'), 0o777);
  t.throws(read, refused(/conf can be written by everybody \(mode 0777\); chmod o-w /), 'the folder above');
  chmodSync(path('conf'), 0o1777);
  t.doesNotThrow(read, 'in a sticky folder nobody else can replace it');
});

t.test('a folder of config files, each of them and the folder', async (t) => {
  const { path, write } = host(t);
  write('conf/a.yaml', '{"upstreams":{"vault":{"address":"http://127.0.0.1:1","auth":{"method":"token"}}}}');
  write('conf/b.yaml', JSON.stringify({ state_dir: path('state') }), 0o666);
  t.throws(() => loadConfig([path('conf')], { env: {} }), refused(/b\.yaml can be written by everybody/));
});

t.test('templates, programs, scripts and state', async (t) => {
  const { path, write, load } = host(t);
  const file = { destination: path('out'), contents: 'x' };
  const template = write('t/app.ctmpl', 'x', 0o666);
  t.throws(
    () => load({ files: [{ destination: path('out'), template }] }),
    refused(/files\[0\]\.template: template .*0666/),
  );
  chmodSync(template, 0o644);
  chmodSync(path('t'), 0o777);
  t.throws(
    () => load({ files: [{ destination: path('out'), template }] }),
    refused(/template .*: .*\/t can be written/),
  );

  const program = write('p/notify', '#!/bin/sh\n', 0o777);
  for (const part of [
    { notify: { command: [program] } },
    { check: { command: [program] } },
    { settle: { command: [program] } },
    { notify: [{ command: ['true'] }, { command: ['sh', program] }] },
    { notify: { command: ['/usr/bin/env', 'sh', program] } },
  ])
    t.throws(
      () => load({ files: [{ ...file, ...part }] }),
      refused(/(?:program|script) .*notify can be written by everybody \(mode 0777\)/),
    );
  t.throws(
    () => load({ processes: [{ name: 'a', command: [program] }] }),
    refused(/processes\[0\]\.command: program/),
  );
  chmodSync(program, 0o755);
  t.doesNotThrow(() => load({ files: [{ ...file, notify: { command: [program] } }] }));

  mkdirSync(path('state'));
  chmodSync(path('state'), 0o777);
  t.throws(() => load(), refused(/state_dir .*state can be written by everybody/));
  chmodSync(path('state'), 0o1777);
  t.throws(
    () => load(),
    refused(/state_dir .*state can be written by everybody/),
    'sticky is not enough: names could be taken',
  );
});

t.test("the program of another user is theirs, but not everybody's", { skip: needsRoot }, async (t) => {
  const { write, load } = host(t);
  const program = write('p/serve', '#!/bin/sh\n', 0o775);
  chownSync(program, 1, nobody);
  const processes = [{ name: 'a', command: ['sh', program], user: 'nobody' }];
  t.doesNotThrow(() => load({ processes }));
  chmodSync(program, 0o757);
  t.throws(() => load({ processes }), refused(/script .*serve can be written by everybody \(mode 0757\)/));
});

t.test('credentials may not be read by all, either, where all come there', async (t) => {
  const { path, write, load } = host(t);
  const upstreams = {
    vault: { address: 'http://127.0.0.1:1', auth: { method: 'token_file', path: path('c/token') } },
  };
  write('c/token', 'canary-value', 0o644);
  t.throws(
    () => load({ upstreams }),
    refused(/credential .*token can be read by everybody \(mode 0644\); chmod o= /),
  );
  chmodSync(path('c'), 0o700);
  t.doesNotThrow(() => load({ upstreams }), 'the folder is closed');
  chmodSync(path('c'), 0o755);
  chmodSync(path('c/token'), 0o640);
  t.doesNotThrow(() => load({ upstreams }), 'a group is a decision');
  const tls = { cert_file: write('c/crt', '', 0o644), key_file: write('c/key', '', 0o644) };
  t.throws(
    () => load({ upstreams: { vault: { ...upstreams.vault, tls } } }),
    refused(/credential .*key can be read/),
  );
});

t.test('programs and credentials of upstreams of every kind', async (t) => {
  const { write, load } = host(t);
  const program = write('x/ask', '#!/bin/sh\n', 0o777);
  t.throws(
    () => load({ upstreams: { cmd: { kind: 'exec', command: [program] } } }),
    refused(/program .*ask can be written/),
  );
  const header_files = { Authorization: write('x/key', 'k', 0o644) };
  const http = { kind: 'http', url: 'http://127.0.0.1:1/', header_files };
  t.throws(() => load({ upstreams: { api: http } }), refused(/credential .*key can be read by everybody/));
});

t.test('the files of a login with Kerberos', async (t) => {
  const { path, write, load } = host(t);
  const auth = {
    ...{ method: 'kerberos', username: 'app', realm: 'R.TEST', service: 'HTTP/vault' },
    keytab: write('k/app.keytab', 'k'),
    krb5_conf: write('k/krb5.conf', '[libdefaults]\n', 0o644),
  };
  const upstreams = { vault: { address: 'http://127.0.0.1:1', auth } };
  t.doesNotThrow(() => load({ upstreams }));
  chmodSync(path('k/app.keytab'), 0o644);
  t.throws(() => load({ upstreams }), refused(/credential .*app\.keytab can be read by everybody/));
  chmodSync(path('k/app.keytab'), 0o602);
  t.throws(() => load({ upstreams }), refused(/credential .*app\.keytab can be written by everybody/));
  chmodSync(path('k/app.keytab'), 0o600);
  chmodSync(path('k/krb5.conf'), 0o666);
  t.throws(() => load({ upstreams }), refused(/Kerberos .*krb5\.conf can be written by everybody/));
});

t.test('links are followed only where nobody else made them', { skip: needsRoot }, async (t) => {
  const { path, write, load } = host(t);
  const template = write('t/real.ctmpl', 'x', 0o644);
  symlinkSync(template, path('t/linked.ctmpl'));
  const files = (name: string) => ({ files: [{ destination: path('out'), template: path(name) }] });
  t.doesNotThrow(() => load(files('t/linked.ctmpl')), 'one of ours');
  mkdirSync(path('sticky'));
  chmodSync(path('sticky'), 0o1777);
  symlinkSync(template, path('sticky/theirs.ctmpl'));
  const { lchownSync } = await import('node:fs');
  lchownSync(path('sticky/theirs.ctmpl'), nobody, nobody);
  t.throws(
    () => load(files('sticky/theirs.ctmpl')),
    refused(new RegExp(`theirs.ctmpl belongs to uid ${nobody}`)),
  );
  write('theirs/real.ctmpl', 'x', 0o644);
  symlinkSync(path('theirs/real.ctmpl'), path('t/out.ctmpl'));
  chownSync(path('theirs'), nobody, nobody);
  t.throws(
    () => load(files('t/out.ctmpl')),
    refused(/theirs belongs to uid/),
    'where the link leads counts too',
  );
  write('theirs/up.ctmpl', 'x', 0o644);
  write('theirs/release/x', '');
  symlinkSync(path('theirs/release'), path('t/current'));
  symlinkSync('current/../up.ctmpl', path('t/up.ctmpl'));
  t.equal(readFileSync(path('t/up.ctmpl'), 'utf8'), 'x', 'above what the link leads to, for the kernel');
  t.throws(() => load(files('t/up.ctmpl')), refused(/theirs belongs to uid/), 'and so for us');
  t.match(findPathFault(`${path('t')}/current/../up.ctmpl`), { path: path('theirs') });
});

t.test("files and folders of another user's own are theirs to change", { skip: needsRoot }, async (t) => {
  const { path, write, load } = host(t);
  const template = write('t/app.ctmpl', 'x', 0o600);
  chownSync(template, nobody, nobody);
  t.throws(
    () => load({ files: [{ destination: path('out'), template }] }),
    refused(/belongs to uid 65534; chown root/),
  );
});

t.test('a group may write only when nobody else is in it', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  chownSync(file, 0, nobody);
  chmodSync(file, 0o660);
  t.match(findPathFault(file), { what: `can be written by group ${nobody} (mode 0660)` });
  t.equal(findPathFault(file, { isTrustedGroup: () => true }), undefined);
  const { load, path, write } = host(t);
  const template = write('t/app.ctmpl', 'x', 0o664);
  chownSync(template, 0, nobody);
  t.throws(
    () => load({ files: [{ destination: path('out'), template }] }),
    refused(/can be written by group/),
  );
});

/** `user:nobody:rw`, as setfacl writes it. */
const giveToNobody = `import os, struct, sys
entries = [(1, 6, -1), (2, 6, 65534), (4, 4, -1), (16, 6, -1), (32, 0, -1)]
os.setxattr(sys.argv[1], 'system.posix_acl_access', struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *one) for one in entries))`;

t.test('an access list lets in whom the mode does not show', { skip: needsRoot }, async (t) => {
  const { path, write, load } = host(t);
  const template = write('t/app.ctmpl', 'x', 0o640);
  const files = { files: [{ destination: path('out'), template }] };
  t.doesNotThrow(() => load(files));
  if (spawnSync('python3', ['-c', giveToNobody, template]).status !== 0) {
    t.pass('an access list', { skip: 'no python3, or a file system without access lists' });
    return;
  }
  t.throws(() => load(files), refused(/app\.ctmpl can be written by group 0 \(mode 0660\)/));
});

t.test('strict_modes: false makes warnings of it, but not in a file that others can write', async (t) => {
  const { path, write, load } = host(t);
  const template = write('t/app.ctmpl', 'x', 0o666);
  const { warnings } = load({ strict_modes: false, files: [{ destination: path('out'), template }] });
  t.match(warnings, [/template .*app\.ctmpl can be written by everybody \(mode 0666\); chmod o-w/]);
  chmodSync(path('conf/latchkey.yaml'), 0o666);
  const read = () => loadConfig([path('conf/latchkey.yaml')], { env: {} });
  t.throws(read, refused(/strict_modes: false does not count in a file that others can write/));
  write('more/strict.yaml', 'strict_modes: false\n');
  const both = loadConfig([path('conf/latchkey.yaml'), path('more/strict.yaml')], { env: {} });
  t.equal(both.warnings.length, 2, 'another file, that only we can write, may say it');
});

t.test(
  'a config of one user whom nobody else is with may say it for itself',
  { skip: needsRoot },
  async (t) => {
    const { path, load } = host(t);
    load({ strict_modes: false });
    chownSync(path('conf/latchkey.yaml'), nobody, nobody);
    const read = () => loadConfig([path('conf/latchkey.yaml')], { env: {} });
    t.match(
      read().warnings,
      [/latchkey\.yaml belongs to uid 65534/],
      'as in a container with a folder of its host',
    );
    chmodSync(path('conf/latchkey.yaml'), 0o646);
    t.throws(read, refused(/belongs to uid|can be written/));
  },
);

t.test('the files of other tools are looked at, too', async (t) => {
  const { path, write } = host(t);
  write(
    'conf/agent.hcl',
    `vault { address = "http://127.0.0.1:1" }
auto_auth {
  method "token_file" { config = { token_file_path = "${path('conf/token')}" } }
  sink "file" { config = { path = "${path('sink')}" } }
}
`,
  );
  const read = () => loadConfig([path('conf/agent.hcl')], { env: {} });
  t.doesNotThrow(read);
  chmodSync(path('conf/agent.hcl'), 0o666);
  t.throws(read, refused(/agent\.hcl can be written by everybody/));
});

t.test('a running agent does not reload what a stranger wrote', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const agent = startAgent(t, { folder, vault, config: {} });
  await agent.untilReady();
  const planted = join(folder, 'planted');
  const config = {
    upstreams: { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } },
    listeners: [{ unix: agent.socket, serve: ['secrets', 'admin'] }],
    state_dir: join(folder, 'state'),
    strict_modes: false,
    files: [{ contents: 'x', destination: join(folder, 'x'), notify: { command: ['touch', planted] } }],
  };
  writeFileSync(`${agent.configPath}.new`, JSON.stringify(config));
  chmodSync(`${agent.configPath}.new`, 0o666);
  renameSync(`${agent.configPath}.new`, agent.configPath);
  const answer = await agent.ask('/reload', { method: 'POST' });
  t.not(answer.status, 200);
  await waitFor('the log', () => /can be written by everybody \(mode 0666\)/.test(agent.log()));
  t.match(agent.log(), /config was not reloaded: the old one stays/);
  t.equal((await agent.ask('/readyz')).status, 200, 'it goes on as before');
  await agent.stop();
  t.throws(() => chmodSync(planted, 0o600), { code: 'ENOENT' }, 'the command has not run');
});

t.test('nor does it take over a template that a stranger can write', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const vault = await startDevVault(t);
  const [template, destination] = [join(folder, 'a.ctmpl'), join(folder, 'out')];
  writeFileSync(template, 'first', { mode: 0o644 });
  const agent = startAgent(t, { folder, vault, config: { files: [{ template, destination }] } });
  await agent.untilReady();
  const says = (text: RegExp) =>
    waitFor(String(text), async () => text.test((await agent.ask('/status')).text));
  const holds = (text: string) => waitFor(text, () => readFileSync(destination, 'utf8') === text);
  chmodSync(template, 0o666);
  const asStranger = { uid: nobody, gid: nobody, encoding: 'utf8' } as const;
  t.equal(spawnSync('sh', ['-c', 'echo planted > "$1"', 'sh', template], asStranger).status, 0);
  await says(/template .*a\.ctmpl can be written by everybody \(mode 0666\); chmod o-w /);
  t.equal(readFileSync(destination, 'utf8'), 'first', 'the one before is in force');
  writeFileSync(template, 'second');
  chmodSync(template, 0o644);
  await holds('second');
  t.pass('what is mended is taken');
  mkdirSync(join(folder, 'theirs'));
  const theirs = join(folder, 'theirs/b.ctmpl');
  writeFileSync(theirs, 'planted');
  chownSync(theirs, nobody, nobody);
  symlinkSync(theirs, `${template}.new`);
  renameSync(`${template}.new`, template);
  await says(/template .*: .*b\.ctmpl belongs to uid \d+; chown root /);
  t.equal(readFileSync(destination, 'utf8'), 'second');
});

t.test('nor a token that a stranger can write', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const vault = await startDevVault(t);
  const path = join(folder, 'token');
  const tokens = [
    await vault.createToken({}),
    await vault.createToken({}),
    await vault.createToken({}),
  ] as const;
  writeFileSync(path, tokens[0], { mode: 0o600 });
  const auth = { method: 'token_file', path, min_backoff: '50ms', max_backoff: '100ms' };
  const agent = startAgent(t, { folder, vault, upstream: { auth }, config: {} });
  const accessorOf = async (token: string) => {
    const headers = { 'x-vault-token': token };
    const answer = await fetch(`${vault.address}/v1/auth/token/lookup-self`, { headers });
    return ((await answer.json()) as { data: { accessor: string } }).data.accessor;
  };
  const uses = async (token: string) => {
    const accessor = await accessorOf(token);
    await waitFor('the login', () => existsSync(agent.logPath) && agent.log().includes(accessor));
  };
  await uses(tokens[0]);
  writeFileSync(path, tokens[1]);
  await uses(tokens[1]);
  chmodSync(path, 0o606);
  writeFileSync(path, tokens[2]);
  await waitFor('the refusal', () =>
    /credential .*token can be written by everybody \(mode 0606\); chmod o-w /.test(agent.log()),
  );
  t.notMatch(agent.log(), await accessorOf(tokens[2]));
  chmodSync(path, 0o600);
  await uses(tokens[2]);
  t.pass('what is mended is taken');
});

t.test('nor certificates of an upstream', async (t) => {
  const path = join(testFolder(t), 'ca.pem');
  const { cert } = await createAuthority();
  writeFileSync(path, cert, { mode: 0o644 });
  const files = {
    caFile: path,
    caPath: undefined,
    certFile: undefined,
    keyFile: undefined,
    serverName: undefined,
  };
  const logs = recordLogs();
  let taken = 0;
  const tls = { ...files, skipVerify: false };
  const transport = createTransport({
    ...{ tls, timeoutMs: 1000, maxBodyBytes: 1000, clock: createSystemClock(), faultOf: trustFault },
  });
  t.teardown(transport.close);
  await t.resolves(transport.tlsOptions('https://127.0.0.1:1'));
  const watch = createTlsWatch({
    config: { tls },
    logger: logs.logger,
    onChange: async () => {
      await transport.reload();
      taken += 1;
    },
  });
  t.teardown(watch.close);
  watch.start();
  chmodSync(path, 0o666);
  await waitFor('the refusal', () => {
    writeFileSync(path, `${cert}# ${Date.now()}\n`);
    return /certificate .*ca\.pem can be written by everybody/.test(JSON.stringify(logs.lines));
  });
  t.equal(taken, 0);
  chmodSync(path, 0o644);
  await waitFor('it to be taken', () => taken > 0);
  t.pass('what is mended is taken');
});

t.test(
  'nor does it run a script that a stranger can write',
  { skip: needsRoot, timeout: 90_000 },
  async (t) => {
    const folder = testFolder(t);
    chmodSync(folder, 0o755);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/a', { word: 'one' });
    const [script, told, destination] = ['told.sh', 'told', 'out'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const ours = (word: string) => writeFileSync(script, `echo ${word} >> ${told}\n`);
    ours('first');
    chmodSync(script, 0o755);
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        secrets: { a: { path: 'secret/a', refresh: '100ms' } },
        files: [{ contents: '{{ field "a" "word" }}', destination, notify: { command: ['sh', script] } }],
      },
    });
    const says = (text: string) => existsSync(told) && readFileSync(told, 'utf8') === text;
    await waitFor('it to be told first', () => says('first\n'));
    chmodSync(script, 0o777);
    writeFileSync(script, `echo planted >> ${told}\n`);
    await vault.writeSecret('secret/a', { word: 'two' });
    const refusal = /cannot run sh: script .*told\.sh can be written by everybody \(mode 0777\); chmod o-w /;
    await waitFor('the refusal', async () => refusal.test((await agent.ask('/status')).text));
    t.equal(
      readFileSync(destination, 'utf8'),
      'two',
      'the file is in place, its program is owed its notification',
    );
    ours('second');
    chmodSync(script, 0o755);
    await waitFor('it to be told', () => says('first\nsecond\n'), 60_000);
    t.pass('what is mended is run');
  },
);
