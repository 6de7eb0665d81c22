// The status page is its user's alone: attacks by another user of the host, by another tab, by a page that was rebound to
// loopback, by who saw the link, and by who reads the words of running commands.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { type RunningProgram, startProgram, type TestAgent } from '../support/cli.ts';
import { attacker, needsOtherUsers, runAs } from '../support/other-user.ts';
import { startPlainAgent } from '../support/plain-agent.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

async function startUi(
  t: Test,
  options: { words?: string[]; env?: Record<string, string> } = {},
): Promise<{ agent: TestAgent; ui: RunningProgram; link: URL; port: number; host: string }> {
  const { agent } = await startPlainAgent(t);
  const { words = ['--no-open'], env = {} } = options;
  const ui = startProgram(t, ['ui', '--socket', agent.socket, ...words], { env });
  await waitFor('the link', () => ui.stdout().includes('\n'));
  const link = new URL(ui.stdout().trim());
  return { agent, ui, link, port: Number(link.port), host: link.host };
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(port: number, path: string, headers: Record<string, string>, method = 'GET'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers, method, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
        if (answer.headers['content-type'] === 'text/event-stream') answer.destroy();
      });
      answer.on('close', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

const paths = ['/', '/page.js', '/page.css', '/events', '/audit', '/timeline?name=app'];

t.test('the link works once; the cookie it gives, under the one name alone', async (t) => {
  const { link, port, host } = await startUi(t);
  for (const path of paths)
    t.equal((await ask(port, path, { host })).status, 403, `${path} without the cookie`);
  t.match(await ask(port, '/?once=wrong', { host }), { status: 403 });
  const entered = await ask(port, `/${link.search}`, { host });
  t.match(entered, { status: 200, body: /http-equiv="refresh" content="0; url=\/"/ });
  const given = String(entered.headers['set-cookie']);
  t.match(given, /^latchkey_ui=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
  t.match(await ask(port, `/${link.search}`, { host }), { status: 403, body: /this link was used/ });
  const cookie = given.split(';')[0] ?? '';
  for (const path of paths) t.equal((await ask(port, path, { host, cookie })).status, 200, path);
  t.match(
    await ask(port, `/${link.search}`, { host, cookie }),
    { status: 200, body: /content="0; url=\/"/ },
    'who is in already is led to the page',
  );

  await t.test('a page that was rebound to loopback comes with its own name', async (t) => {
    const names = [
      '127.0.0.1',
      'localhost',
      'evil.example',
      `x.${link.hostname}`,
      link.hostname.toUpperCase(),
    ];
    for (const name of [...names.map((one) => `${one}:${port}`), link.hostname, ''])
      for (const path of paths)
        t.equal((await ask(port, path, { host: name, cookie })).status, 403, name + path);
  });
  await t.test('what another page asks for is refused, whatever the browser sends along', async (t) => {
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${port}` },
      { origin: `https://${host}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of foreign)
      for (const path of paths)
        t.equal((await ask(port, path, { host, cookie, ...headers })).status, 403, JSON.stringify(headers));
    t.equal((await ask(port, '/audit', { host, cookie, origin: `http://${host}` })).status, 200, 'its own');
  });
  await t.test('it only reads, and only what is its own', async (t) => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      t.equal((await ask(port, '/audit', { host, cookie }, method)).status, 405, method);
    for (const path of [
      '/secrets/app',
      '/status',
      '/refresh',
      '/../main.js',
      '/%2e%2e/main.js',
      '/constructor',
      '/__proto__',
    ])
      t.equal((await ask(port, path, { host, cookie })).status, 404, path);
    const { headers, body } = await ask(port, '/', { host, cookie });
    t.match(
      headers['content-security-policy'],
      /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/,
    );
    t.match(headers, {
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    t.notMatch(body, /https?:\/\//, 'nothing from elsewhere');
  });
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map((one) => one.address));
  const skip = addresses.includes('::1') ? false : 'this host has no ::1';
  await t.test('on both addresses of loopback, so that nobody waits on the other', { skip }, async (t) => {
    const isThere = await new Promise((resolve) => {
      const socket = connect({ host: '::1', port }, () => resolve(true));
      socket.on('error', () => resolve(false));
      t.teardown(() => socket.destroy());
    });
    t.ok(isThere, 'also at ::1');
  });
});

/** The words of all commands that run, as everybody can read them. */
const spy = `
  import { readdirSync, readFileSync } from 'node:fs';
  for (const pid of readdirSync('/proc')) {
    if (!/^\\d+$/.test(pid)) continue;
    try { console.log(readFileSync('/proc/' + pid + '/cmdline', 'utf8')); } catch { /* gone, or not for us */ }
  }`;

t.test('the words of the demo give nobody its vault', { skip: needsOtherUsers }, async (t) => {
  const demo = startProgram(t, ['demo', '--no-open']);
  await waitFor('the link', () => demo.stdout().includes('once='));
  const words = (await runAs(attacker, spy)).split('\n');
  const ofVault = words.filter((line) => line.includes('vault-seed.yaml'));
  t.ok(ofVault.length > 0, 'its vault is seen to run');
  for (const line of ofVault) t.notMatch(line, /root-token|demo-[0-9a-f]{16}/);
  demo.child.kill('SIGTERM');
  await demo.exited;
});

t.test('another user of the host is refused', { skip: needsOtherUsers }, async (t) => {
  const { port, link, ui } = await startUi(t);
  const script = `
    import { request } from 'node:http';
    const [port, host, path] = process.argv.slice(1);
    request({ host: '127.0.0.1', port, path, headers: host === '' ? {} : { host } }, (answer) => {
      answer.resume();
      console.log(answer.statusCode);
    }).end();`;
  for (const path of paths) {
    t.equal((await runAs(attacker, script, [String(port), '', path])).trim(), '403');
    t.equal((await runAs(attacker, script, [String(port), `127.0.0.1:${port}`, path])).trim(), '403');
    // Even one who had found out the name.
    t.equal((await runAs(attacker, script, [String(port), link.host, path])).trim(), '403');
  }
  // What is no path at all ends their connection, not the page.
  const oddly = `
    import { connect } from 'node:net';
    const [port] = process.argv.slice(1);
    for (const target of ['//', '//[', 'http://[', 'http://%', '/\\\\\\\\', '*', '?']) {
      const socket = connect(Number(port), '127.0.0.1', () => socket.end('GET ' + target + ' HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'));
      let text = '';
      socket.on('error', () => undefined).on('data', (bytes) => { text += bytes; });
      await new Promise((ended) => socket.on('close', ended));
      console.log(text.slice(0, 12));
    }`;
  const oddAnswers = (await runAs(attacker, oddly, [String(port)])).trim().split('\n');
  t.ok(
    oddAnswers.every((line) => /^HTTP\/1\.1 40[03]$/.test(line)),
    oddAnswers.join(', '),
  );
  t.equal((await runAs(attacker, script, [String(port), '', '/'])).trim(), '403', 'it is still there');
  const words = await runAs(attacker, spy);
  t.match(words, /ui\0--socket/, 'they see the command');
  t.notMatch(words, link.hostname);
  t.equal(ui.child.exitCode, null);
});

t.test('the browser is led by a file of the user, not by words that all can read', async (t) => {
  const folder = testFolder(t);
  const [bin, runtime, noted] = ['bin', 'runtime', 'noted'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(bin);
  mkdirSync(runtime);
  writeFileSync(
    join(bin, 'xdg-open'),
    `#!/bin/sh\nstat -c %a "$1" > ${noted}.mode\ncat "$1" > ${noted}.page\necho "$@" > ${noted}\n`,
  );
  chmodSync(join(bin, 'xdg-open'), 0o755);
  const env = { PATH: `${bin}:${process.env['PATH']}`, DISPLAY: ':9', XDG_RUNTIME_DIR: runtime };
  const { link, ui } = await startUi(t, { words: [], env });
  await waitFor('the browser', () => spawnSync('test', ['-s', noted]).status === 0);
  t.notMatch(readFileSync(noted, 'utf8'), link.hostname);
  t.match(readFileSync(noted, 'utf8'), /^\S+\/latchkey-page-\w+\/open\.html\n$/);
  t.equal(readFileSync(`${noted}.mode`, 'utf8').trim(), '600');
  t.match(readFileSync(`${noted}.page`, 'utf8'), `url=${link.href}`);
  ui.child.kill('SIGTERM');
  t.match(await ui.exited, { code: 143 });
  t.equal(
    spawnSync('sh', ['-c', `ls ${runtime} | wc -l`], { encoding: 'utf8' }).stdout.trim(),
    '0',
    'nothing is left',
  );
});

t.test(
  'another tab gets nothing, and other ports are not sent the cookie',
  { skip: needsBrowser },
  async (t) => {
    const { link, port } = await startUi(t);
    const browser = await startBrowser(t);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(link.href);
    await page.waitForSelector('#secrets-rows tr');
    const cookies: string[] = [];
    // What another user could run: it even knows the name.
    const evil = createServer((message, answer) => {
      cookies.push(message.headers.cookie ?? '');
      answer.setHeader('content-type', 'text/html');
      answer.end(
        `<!doctype html><iframe id="frame" src="${link.origin}/"></iframe><script src="${link.origin}/page.js"></script>`,
      );
    });
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    t.teardown(() => evil.close());
    const other = (evil.address() as AddressInfo).port;
    const tab = await context.newPage();
    const statuses: number[] = [];
    tab.on('response', (response) => {
      if (response.url().startsWith(link.origin)) statuses.push(response.status());
    });
    for (const name of ['127.0.0.1', 'localhost', 'guess.localhost']) {
      await tab.goto(`http://${name}:${other}/`);
      const read = await tab.evaluate(
        `fetch('${link.origin}/audit', { credentials: 'include' }).then((one) => one.text(), () => 'refused')`,
      );
      t.equal(read, 'refused');
      await tab.evaluate(
        `fetch('${link.origin}/audit', { credentials: 'include', mode: 'no-cors' }).catch(() => undefined)`,
      );
      const stream = await tab.evaluate(`new Promise((resolve) => {
      const stream = new EventSource('${link.origin}/events', { withCredentials: true });
      stream.onerror = () => resolve('refused');
      stream.onopen = () => resolve('open');
    })`);
      t.equal(stream, 'refused');
    }
    t.ok(statuses.length >= 3, 'it was asked');
    t.ok(
      statuses.every((status) => status === 403),
      statuses.join(' '),
    );
    t.notMatch(cookies.join('\n'), 'latchkey_ui');
    // The tab of its user goes on.
    await page.reload();
    await page.waitForSelector('#secrets-rows tr');
    t.equal(new URL(page.url()).port, String(port));
  },
);

t.test('who may not ask the agent is told so, and gets no page', { skip: needsOtherUsers }, async (t) => {
  const { agent } = await startUi(t);
  chmodSync(agent.folder, 0o755);
  chmodSync(agent.socket, 0o666);
  const ui = startProgram(t, ['ui', '--socket', agent.socket, '--no-open'], { uid: attacker, gid: attacker });
  t.match(await ui.exited, { code: 3, stdout: '' });
});
