import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';

const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

t.test('reads 1,000 files on 1,000 secrets', async (t) => {
  const folder = t.testdir({
    'a.yaml': `upstreams: { v: { address: "http://127.0.0.1:1" } }
secrets:
${lines(1000, (index) => `  s${index}: { path: secret/app/${index}, refresh: 30s }`)}
files:
${lines(1000, (index) => `  - { template: t.ctmpl, destination: out/${index}, mode: "0640", notify: { command: [reload] } }`)}
`,
    't.ctmpl': 'x',
  });
  const config = loadConfig([join(folder, 'a.yaml')], { env: {} });
  t.equal(config.secrets.length, 1000);
  t.equal(config.files[999]?.destination, join(folder, 'out/999'));
});

t.test('tells 1,000 problems, each at its line', async (t) => {
  const folder = t.testdir({
    'a.yaml': `files:\n${lines(1000, (index) => `  - { contents: x, destination: out/${index}, mode: 640 }`)}\n`,
  });
  try {
    loadConfig([join(folder, 'a.yaml')], { env: {} });
    t.fail('every mode is wrong');
  } catch (error) {
    t.ok(error instanceof ConfigError);
    const { problems } = error as ConfigError;
    t.equal(problems.length, 1000);
    t.match(problems[999], { line: 1001, path: 'files[999].mode' });
  }
});

t.test('refuses a file that grows by aliases beyond reason', async (t) => {
  const folder = t.testdir({
    'a.yaml': `files: [&a { contents: x, destination: y }, ${lines(2000, () => '*a,')}]`,
  });
  t.throws(() => loadConfig([join(folder, 'a.yaml')], { env: {} }), {
    code: 'config_invalid',
    message: /alias/,
  });
});

t.test('is not held up by aliases of aliases', async (t) => {
  const levels = lines(30, (index) => `x${index + 1}: &x${index + 1} [*x${index}, *x${index}]`);
  const folder = t.testdir({ 'a.yaml': `x0: &x0 [a]\n${levels}\n` });
  t.throws(() => loadConfig([join(folder, 'a.yaml')], { env: {} }), {
    code: 'config_invalid',
    message: /x30: unknown key/,
  });
});
