// `latchkey validate` finds every mistake that can be found without asking anybody, in one run.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../support/cli.ts';
import { testFolder } from '../support/test-folder.ts';

t.test('all stages are told together', async (t) => {
  const folder = testFolder(t);
  const config = join(folder, 'bad.yaml');
  const gone = join(folder, 'gone');
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: { vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } } },
      secrets: { stripe: { path: 'secret/stripe' } },
      files: [
        { contents: '{{ field "strip" "key" }}', destination: join(folder, 'a'), owner: 'no-such-user' },
        { contents: '{{ if }}', destination: join(gone, 'b') },
        {
          contents: 'x',
          destination: join(folder, 'c'),
          check: { command: ['no-such-check', '{staged}'] },
          notify: { command: [join(gone, 'reload')] },
          settle: { command: ['no-such-settle'] },
        },
      ],
      processes: [
        {
          name: 'app',
          command: ['no-such-server'],
          env: { K: '{{ field "strpe" "key" }}' },
          user: 'nobody-here',
        },
      ],
      audit: { file: join(gone, 'audit.jsonl') },
      log: { file: join(gone, 'agent.log') },
    }),
    { mode: 0o600 },
  );
  const { code, stderr } = await runProgram(t, ['validate', '--config', config]);
  t.equal(code, 2);
  for (const pattern of [
    /files\[0\]\.owner.*no-such-user/,
    /files\[0\]\.template: no secret named "strip".*did you mean stripe\?/,
    /missing value for if/,
    /files\[1\]\.destination: the folder .*gone does not exist/,
    /files\[2\]\.check: there is no program no-such-check/,
    /files\[2\]\.notify\[0\]: .*reload does not exist/,
    /files\[2\]\.settle: there is no program no-such-settle/,
    /processes\.app\.command: there is no program no-such-server/,
    /processes\.app\.env\.K: no secret named "strpe".*did you mean stripe\?/,
    /processes\[0\]\.user.*nobody-here/,
    /audit\.file: the folder .* does not exist/,
    /log\.file: the folder .* does not exist/,
  ]) {
    t.match(stderr, pattern);
  }
  const elsewhere = await runProgram(t, ['validate', '--syntax-only', '--config', config]);
  t.equal(elsewhere.code, 2);
  t.match(elsewhere.stderr, /did you mean stripe\?/);
  t.notMatch(elsewhere.stderr, /no-such-check|no-such-user|gone does not exist/, 'nothing of this host');
});

t.test('the config to start from is one that status works on', async (t) => {
  const { stdout } = await runProgram(t, ['generate-config']);
  t.match(stdout, /^listeners:\n {2}- unix: \/run\/latchkey\/latchkey\.sock$/m);
  const file = join(testFolder(t), 'start.yaml');
  writeFileSync(file, stdout, { mode: 0o600 });
  const status = await runProgram(t, ['status', '--config', file]);
  t.match(
    status.stderr,
    /cannot reach the agent at \/run\/latchkey\/latchkey\.sock/,
    'it knows where to ask',
  );
});
