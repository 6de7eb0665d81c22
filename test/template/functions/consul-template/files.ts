import t from 'tap';
import type { WriteFileRequest } from '../../../../src/template/exec/function-table.ts';
import { emptyHost, execute, failureOf, outcome } from '../../../support/render-text.ts';

t.test('file gives the bytes that the host gives', async (t) => {
  const host = { ...emptyHost, readFile: (path: string) => Buffer.from(`${path}: \xe9`, 'latin1') };
  const { output } = await execute('{{ file " /etc/app.pem " }}{{ file "" }}', { host });
  t.equal(output.toString('latin1'), '/etc/app.pem: \xe9');
});

t.test('what the host says of a file is shown', async (t) => {
  const readFile = () => {
    throw new Error('/etc/shadow is outside of the sandbox');
  };
  const { message } = await failureOf('{{ file "/etc/shadow" }}', { host: { ...emptyHost, readFile } });
  t.match(message, /error calling file: \/etc\/shadow is outside of the sandbox/);
});

t.test('without leave of the configuration nothing outside is touched', async (t) => {
  t.match((await failureOf('{{ file "/a" }}')).message, /template\.sandbox_paths/);
  t.match((await failureOf('{{ "x" | writeToFile "/a" "" "" "0644" }}')).message, /template\.sandbox_paths/);
  t.match((await failureOf('{{ plugin "date" }}')).message, /template\.allow_plugin/);
});

t.test('writeToFile asks for what the template says', async (t) => {
  const requests: WriteFileRequest[] = [];
  const host = { ...emptyHost, writeFile: (request: WriteFileRequest) => requests.push(request) };
  const template =
    '{{ "k" | writeToFile "/a" "app" "www" "0640" }}{{ "l" | writeToFile "/b" "" "" "600" "append,newline" }}';
  t.equal(await outcome(template, { host }), '');
  t.same(requests, [
    { path: '/a', owner: 'app', group: 'www', mode: '0640', content: Buffer.from('k'), isAppended: false },
    { path: '/b', owner: '', group: '', mode: '600', content: Buffer.from('l\n'), isAppended: true },
  ]);
});

t.test('writeToFile does nothing while a secret is missing', async (t) => {
  const requests: unknown[] = [];
  const host = { ...emptyHost, writeFile: (request: WriteFileRequest) => requests.push(request) };
  await execute('{{ with secret "kv/later" }}{{ end }}{{ "k" | writeToFile "/a" "" "" "0640" }}', { host });
  t.same(requests, []);
});

t.test('writeToFile wants an octal mode', async (t) => {
  const host = { ...emptyHost, writeFile: () => {} };
  t.match(
    (await failureOf('{{ "k" | writeToFile "/a" "" "" "0988" }}', { host })).message,
    /parsing "0988": invalid syntax/,
  );
});

t.test('plugin gives the trimmed output', async (t) => {
  const host = {
    ...emptyHost,
    runPlugin: (name: string, args: readonly string[]) => ` ${name} ${args.join('+')}\n`,
  };
  t.equal(await outcome('{{ plugin "/bin/x" "a " "" "b" }}', { host }), '/bin/x a+b');
});

t.test('a plugin that fails tells how it ended, not what it was given', async (t) => {
  const runPlugin = () => {
    throw Object.assign(new Error('Command failed: /bin/x hunter2'), { status: 3 });
  };
  const { message } = await failureOf('{{ plugin "/bin/x" "hunter2" }}', {
    host: { ...emptyHost, runPlugin },
  });
  t.match(message, /exec "\/bin\/x": exit status 3/);
  t.notMatch(message.split('error calling')[1], /hunter2/);
});
