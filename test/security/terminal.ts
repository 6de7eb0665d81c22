// A program of another user in root's terminal: it must not hold that terminal, or it types into root's shell.
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nodeOptions, program } from '../support/cli.ts';
import { isRoot } from '../support/needs-root.ts';
import { testFolder } from '../support/test-folder.ts';

const hasPython = spawnSync('python3', ['-c', '0']).status === 0;
const skip = !isRoot ? 'needs root' : hasPython ? false : 'needs python3, for a terminal to start in';

/** Runs words on a terminal of their own, types `input` when `ready` was printed, gives all that came and the exit code. */
const driver = `
import os, pty, sys, json, fcntl, termios, struct
words, typed = json.loads(sys.argv[1]), sys.argv[2].encode()
pid, fd = pty.fork()
if pid == 0: os.execvp(words[0], words)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 111, 0, 0))
text, sent = b'', False
while True:
    try: part = os.read(fd, 4096)
    except OSError: break
    if not part: break
    text += part
    if b'ready' in text and not sent:
        sent = True
        os.write(fd, typed)
status = os.waitpid(pid, 0)[1]
print(json.dumps({'text': text.decode(), 'code': os.waitstatus_to_exitcode(status)}))
`;

async function onTerminal(t: Test, settings: object, script: string, typed: string) {
  const folder = testFolder(t);
  const config = join(folder, 'latchkey.json');
  const upstreams = { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } };
  writeFileSync(
    config,
    JSON.stringify({
      upstreams,
      processes: [{ name: 'legacy', command: ['sh', '-c', script], output: 'inherit', ...settings }],
      state_dir: join(folder, 'state'),
      log: { file: join(folder, 'log') },
    }),
    { mode: 0o600 },
  );
  const words = [process.execPath, ...nodeOptions, program, 'run', '--config', config, '--process', 'legacy'];
  const child = spawn('python3', ['-c', driver, JSON.stringify(words), typed], {
    env: { PATH: process.env['PATH'] ?? '', VAULT_TOKEN: 'x', TERM: 'xterm' },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  });
  let output = '';
  for await (const part of child.stdout.setEncoding('utf8')) output += part;
  return JSON.parse(output) as { text: string; code: number };
}

// Session, terminal and descriptors of the program, and those of the agent above it.
const look = `tty; stty size; echo "session $(cut -d' ' -f6 /proc/$$/stat) terminal $(cut -d' ' -f7 /proc/$$/stat) self $$";
  echo "parent session $(cut -d' ' -f6 /proc/$PPID/stat) terminal $(cut -d' ' -f7 /proc/$PPID/stat)";
  (: < /dev/tty) && echo has tty; echo ready; read line; echo "got <$line>"; exit 7`;
const inIt = /session (\d+) terminal (\d+) self (\d+)/;
const above = /parent session (\d+) terminal (\d+)/;

t.test("another user's program has a session and a terminal of its own, which works", { skip }, async (t) => {
  const { text, code } = await onTerminal(t, { user: 'nobody' }, look, 'typed here\r');
  const [, session, terminal, self] = inIt.exec(text) ?? [];
  const [, ourSession, ourTerminal] = above.exec(text) ?? [];
  t.equal(session, self, 'it leads a session');
  t.not(session, ourSession);
  t.not(terminal, '0');
  t.not(terminal, ourTerminal, 'and its terminal is not that of the agent');
  t.match(text, /^\/dev\/pts\/\d+\r?$/m, 'its input is a terminal that it can name');
  t.match(text, /has tty/);
  t.match(text, /33 111/, 'of the same size');
  t.match(text, /got <typed here>/, 'what is typed comes there');
  t.equal(code, 7, 'its exit code is ours');
});

t.test('Ctrl-C goes to the program, which decides', { skip }, async (t) => {
  const script = `trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done`;
  const { text, code } = await onTerminal(t, { user: 'nobody' }, script, '\u0003');
  t.match(text, /caught/);
  t.equal(code, 9);
});

const steal = `import fcntl, termios, os
for fd in (0, 1, 2):
    try:
        for byte in b'id > PWNED\\n': fcntl.ioctl(fd, termios.TIOCSTI, bytes([byte]))
        print('typed', fd, os.ttyname(fd))
    except OSError as error: print('refused', fd, error.errno)`;

t.test('what it types into its terminal is not there for the shell afterwards', { skip }, async (t) => {
  const folder = testFolder(t, 0o777);
  writeFileSync(join(folder, 'steal.py'), steal, { mode: 0o644 });
  const { text } = await onTerminal(t, { user: 'nobody' }, `python3 ${folder}/steal.py; echo ready`, '');
  // Where the kernel lets it at all (dev.tty.legacy_tiocsti), it is the program's own terminal.
  const names = [...text.matchAll(/typed \d (\S+)/g)].map(([, name]) => name);
  const own = [...(await onTerminal(t, {}, 'tty; echo ready', '')).text.matchAll(/\/dev\/pts\/\d+/g)].map(
    String,
  );
  t.match(text, /refused|typed/);
  t.strictSame(
    names.filter((name) => own.includes(name ?? '')),
    [],
  );
});

t.test('a program of our own user stays on the terminal', { skip }, async (t) => {
  const { text, code } = await onTerminal(t, {}, look, 'typed here\r');
  const [, session] = inIt.exec(text) ?? [];
  t.equal(session, above.exec(text)?.[1], 'it may ask there for a password, as ever');
  t.equal(code, 7);
});
