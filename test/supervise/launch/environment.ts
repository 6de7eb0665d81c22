import t from 'tap';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { addVariables, baseEnvironment } from '../../../src/supervise/launch/environment.ts';

const own = {
  PATH: '/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  LC_TIME: 'de_DE',
  TZ: 'UTC',
  TERM: 'xterm',
  VAULT_TOKEN: 'hvs.x',
  NOTIFY_SOCKET: '/run/n',
  AWS_REGION: 'r',
  AWS_PROFILE: 'p',
  AWSOME: 'no',
  EDITOR: 'vi',
};

t.test('passes on a short list and nothing else', async (t) => {
  t.strictSame(baseEnvironment(own), {
    PATH: '/bin',
    HOME: '/root',
    LANG: 'C.UTF-8',
    LC_TIME: 'de_DE',
    TZ: 'UTC',
    TERM: 'xterm',
  });
});

t.test('leaves out what is kept back, and takes patterns', async (t) => {
  const passed = (...patterns: string[]) =>
    Object.keys(baseEnvironment(own, patterns))
      .filter((name) => /^(?:AWS|EDIT|VAULT|NOTIFY)/.test(name))
      .sort()
      .join(' ');
  t.equal(passed('*', '!VAULT_*', '!*SOCKET'), 'AWSOME AWS_PROFILE AWS_REGION EDITOR');
  t.equal(passed('AWS_*', '!AWS_REGION'), 'AWS_PROFILE');
  t.equal(passed('AWS?OME', 'AWS?*'), 'AWSOME AWS_PROFILE AWS_REGION');
  t.equal(passed('[EN]*'), 'EDITOR NOTIFY_SOCKET');
  t.equal(passed('[Z-A]*', 'A.*', 'AWS'), '');
  t.equal(baseEnvironment(own, ['!TERM', '!LC_*'])['TERM'], undefined);
  t.equal(
    baseEnvironment(own, ['!PATH'])['PATH']?.includes('/usr/bin'),
    true,
    'where programs are stays known',
  );
});

t.test('passes on what the config names, by name or by start', async (t) => {
  const { PATH, AWS_REGION, AWS_PROFILE, AWSOME, EDITOR } = baseEnvironment(own, [
    'AWS_*',
    'EDITOR',
    'ABSENT',
  ]);
  t.strictSame(
    { PATH, AWS_REGION, AWS_PROFILE, AWSOME, EDITOR },
    {
      PATH: '/bin',
      AWS_REGION: 'r',
      AWS_PROFILE: 'p',
      AWSOME: undefined,
      EDITOR: 'vi',
    },
  );
});

t.test('has a PATH even where the agent has none', async (t) => {
  t.match(baseEnvironment({})['PATH'], '/usr/bin');
});

t.test('gives another user his own HOME, USER, LOGNAME and SHELL', async (t) => {
  const user = { name: 'app', uid: 7, gid: 7, home: '/srv/app', shell: '/bin/false' };
  t.match(baseEnvironment(own, [], user), {
    HOME: '/srv/app',
    USER: 'app',
    LOGNAME: 'app',
    SHELL: '/bin/false',
  });
});

t.test('refuses values that no environment can hold, without showing them', async (t) => {
  const add = (bytes: Buffer) => () => addVariables({}, new Map([['KEY', SecretValue.fromBytes(bytes)]]));
  for (const bytes of [Buffer.from('hunter2\0'), Buffer.from([104, 117, 0xff])]) {
    t.throws(add(bytes), {
      code: 'process_failed',
      message: /^the value of variable KEY (?:has a NUL byte|is not UTF-8)/,
    });
  }
  t.strictSame(add(Buffer.from('grün\n'))(), { KEY: 'grün\n' });
});
