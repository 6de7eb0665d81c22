import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createKeyFileText, keyFromPassphrase, keyFromText } from '../../../src/upstream/file/seal-key.ts';
import { startKindSource } from '../../support/kind-source.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const patience = () => AbortSignal.timeout(60_000);
const fixtures = join(import.meta.dirname, '../../fixtures/sops');

function replace(path: string, content: string | Buffer): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

t.test('a dotenv file: each variable is a secret, and all of them are one', async (t) => {
  const path = join(testFolder(t), '.env');
  writeFileSync(path, 'USER=joe\nPASSWORD="p\\"w"\n');
  const { fields, read, source, changed, isCurrent } = await startKindSource(t, { kind: 'file', path });
  await source.ready(patience());
  t.match(source.status(), { state: 'ready', kind: 'file', address: path });
  t.same(await fields('PASSWORD'), { value: 'p"w' });
  t.same(await fields('/'), { USER: 'joe', PASSWORD: 'p"w' });
  await t.rejects(read('NONE'), { code: 'not_found', message: `${path}: there is no NONE in it` });

  const before = await read('USER');
  t.equal(await isCurrent('USER', before), true);
  replace(path, 'USER=ann\n');
  await waitFor('the change is told', () => changed.includes('USER') && changed.includes('PASSWORD'));
  t.equal(await isCurrent('USER', before), false);
  t.same(await fields('USER'), { value: 'ann' });
  await t.rejects(read('PASSWORD'), { code: 'not_found' }, 'removed is not away');
});

t.test('JSON and YAML: maps are fields, values stay what they are', async (t) => {
  const folder = testFolder(t);
  writeFileSync(
    join(folder, 's.yaml'),
    'db:\n  primary: {user: joe, port: 5432, pin: "007"}\nlist: [a, b]\nnone: null\n',
  );
  writeFileSync(join(folder, 's.json'), '{"a":{"b":"c"},"n":1.50}');
  const yaml = await startKindSource(t, { kind: 'file', path: join(folder, 's.yaml') });
  t.same(await yaml.fields('db/primary'), { user: 'joe', port: 5432, pin: '007' });
  t.same(await yaml.fields('db/primary/port'), { value: '5432' });
  t.same(await yaml.fields('list'), { value: ['a', 'b'] });
  await t.rejects(yaml.read('none'), { code: 'not_found' });
  const json = await startKindSource(t, { kind: 'file', path: join(folder, 's.json') });
  t.same(await json.fields('a'), { b: 'c' });
  t.same(await json.fields('n'), { value: '1.50' });
});

t.test(
  'a file that nobody understands, or that is gone, is an outage with its place; it comes back by itself',
  async (t) => {
    const path = join(testFolder(t), 's.json');
    writeFileSync(path, '{"a":"hunter2"}');
    const { fields, read, source, logs } = await startKindSource(t, { kind: 'file', path });
    t.same(await fields('a'), { value: 'hunter2' });
    replace(path, '{"a":"hunter2"');
    await waitFor('it is away', () =>
      read('a').then(
        () => false,
        (error) => error.code === 'upstream_unavailable',
      ),
    );
    t.match(source.status(), { state: 'unavailable', message: /s\.json:1:\d+: not valid YAML or JSON/ });
    unlinkSync(path);
    await waitFor('it says so', () =>
      read('a').then(
        () => false,
        (error) => /no such file/.test(error.message),
      ),
    );
    replace(path, '{"a":"hunter3"}');
    await waitFor('it is back', () =>
      fields('a').then(
        ({ value }) => value === 'hunter3',
        () => false,
      ),
    );
    t.equal(source.status().state, 'ready');
    t.notMatch(JSON.stringify(logs), /hunter/);
  },
);

t.test('a folder: a file is a secret, a subfolder is its fields, bytes stay bytes', async (t) => {
  const root = testFolder(t);
  writeFileSync(join(root, 'token'), 'abc\n');
  writeFileSync(join(root, 'binary'), Buffer.from([0, 255, 1]));
  mkdirSync(join(root, 'db'));
  writeFileSync(join(root, 'db', 'user'), 'joe');
  writeFileSync(join(root, 'db', '.hidden'), 'x');
  const { fields, read, changed } = await startKindSource(t, { kind: 'file', path: root });
  t.same(await fields('token'), { value: 'abc\n' });
  t.same(await fields('db'), { user: 'joe' });
  const { content } = await read('binary');
  t.same(content.form === 'bytes' && content.value.bytes(), Buffer.from([0, 255, 1]));
  for (const path of ['../x', 'db/../../x', '..data/token', 'none', 'token/x']) {
    await t.rejects(read(path), { code: /^(?:denied|not_found)$/ }, path);
  }
  await waitFor('the watch tells', () => {
    writeFileSync(join(root, 'token'), `${Math.random()}`);
    return changed.includes('token');
  });
});

t.test('a mounted volume: all fields are of one generation, whenever the link is turned', async (t) => {
  const root = testFolder(t);
  const turn = (version: number) => {
    mkdirSync(join(root, `..v${version}`));
    mkdirSync(join(root, `..v${version}`, 'db'));
    for (const name of ['a', 'b', 'c']) writeFileSync(join(root, `..v${version}`, 'db', name), `${version}`);
    symlinkSync(`..v${version}`, join(root, '..data_tmp'));
    renameSync(join(root, '..data_tmp'), join(root, '..data'));
  };
  turn(0);
  symlinkSync('..data/db', join(root, 'db'));
  const { fields, changed } = await startKindSource(t, { kind: 'file', path: root });
  t.same(await fields('db'), { a: '0', b: '0', c: '0' });
  await waitFor('a turned link is told', () => {
    turn(100 + changed.length + Math.floor(Math.random() * 1e9));
    return changed.includes('db');
  });
  for (let version = 1; version <= 30; version += 1) {
    const reading = fields('db');
    turn(version);
    const { a, b, c } = await reading;
    t.ok(a === b && b === c, `${a} ${b} ${c}`);
  }
});

t.test('sealed files: by a key file, a credential and a passphrase', async (t) => {
  const folder = testFolder(t);
  const keyText = await createKeyFileText(new Date());
  const [keyFile, passphraseFile] = [join(folder, 'key'), join(folder, 'pass')];
  writeFileSync(keyFile, keyText, { mode: 0o600 });
  writeFileSync(passphraseFile, 'correct horse\n', { mode: 0o600 });
  const sealed = join(folder, 's.env.age');
  const byPassphrase = join(folder, 'p.yaml.age');
  writeFileSync(sealed, await (await keyFromText(keyText, 'k')).seal(Buffer.from('A=hunter2\n')));
  writeFileSync(byPassphrase, await keyFromPassphrase('correct horse', 'p').seal(Buffer.from('a: {b: c}')));
  const sources = [
    { config: { path: sealed, key: { file: keyFile } }, path: 'A', fields: { value: 'hunter2' } },
    { config: { path: sealed, key: { credential: 'key' } }, path: 'A', fields: { value: 'hunter2' } },
    {
      config: { path: byPassphrase, key: { passphrase_file: passphraseFile } },
      path: 'a',
      fields: { b: 'c' },
    },
    { config: { path: byPassphrase, key: { passphrase_credential: 'pass' } }, path: 'a', fields: { b: 'c' } },
  ];
  for (const { config, path, fields } of sources) {
    const up = await startKindSource(
      t,
      { kind: 'file', ...config },
      { env: { CREDENTIALS_DIRECTORY: folder } },
    );
    t.same(await up.fields(path), fields);
  }
  const none = await startKindSource(t, { kind: 'file', path: sealed });
  await t.rejects(none.read('A'), { code: 'login_failed', message: /sealed, and this upstream has no key/ });
  t.equal(none.source.status().state, 'login_failed');
  const other = join(folder, 'other');
  writeFileSync(other, await createKeyFileText(new Date()), { mode: 0o600 });
  const wrong = await startKindSource(t, { kind: 'file', path: sealed, key: { file: other } });
  await t.rejects(wrong.read('A'), { code: 'login_failed', message: /sealed for another key than age1/ });
  writeFileSync(other, keyText);
  await waitFor('the right key opens it at once', () =>
    wrong.fields('A').then(
      () => true,
      () => false,
    ),
  );
});

t.test(
  'what others can change, or a key that others can read, is refused with the command that helps',
  async (t) => {
    const folder = testFolder(t);
    const path = join(folder, 's.env');
    writeFileSync(path, 'A=1\n');
    chmodSync(path, 0o666);
    const { read, fields } = await startKindSource(t, { kind: 'file', path });
    await t.rejects(read('A'), {
      code: 'upstream_unavailable',
      message: /others can change it: mode is 0666/,
      remedy: /chmod/,
    });
    chmodSync(path, 0o644);
    t.same(await fields('A'), { value: '1' });
    const key = join(folder, 'key');
    writeFileSync(key, await createKeyFileText(new Date()), { mode: 0o644 });
    writeFileSync(path, await keyFromPassphrase('x', 'x').seal(Buffer.from('')));
    const keyed = await startKindSource(t, { kind: 'file', path, key: { file: key } });
    await t.rejects(keyed.read('A'), { code: 'login_failed', message: /everybody can read this key/ });
  },
);

t.test('SOPS files are read with the key of the upstream', async (t) => {
  const folder = testFolder(t);
  const key = join(folder, 'keys.txt');
  copyFileSync(join(fixtures, 'keys.txt'), key);
  chmodSync(key, 0o600);
  const up = await startKindSource(t, {
    kind: 'file',
    path: join(fixtures, 'example.yaml'),
    key: { file: key },
  });
  t.match(await up.fields('db'), { user: 'joe', port: 5432 });
  const env = await startKindSource(t, {
    kind: 'file',
    path: join(fixtures, 'example.env'),
    key: { file: key },
  });
  t.same(await env.fields('M'), { value: 'line1\nline2' });
  t.ok(readFileSync(join(fixtures, 'example.env'), 'utf8').includes('ENC['));
});

t.test('the config says what cannot be', async (t) => {
  const refused: readonly [object, RegExp][] = [
    [{ path: '/x/secrets.txt' }, /path: its format cannot be told by the name; set format/],
    [{ path: '/x/s.env', key: {} }, /missing, expected one of file, credential/],
    [{ path: '/x/s.env', key: { file: 'a', credential: 'b' } }, /expected only one of/],
    [{ path: '/x/s.env', key: { credential: '../b' } }, /expected the name of a credential/],
    [{}, /path/],
  ];
  for (const [config, message] of refused) {
    await t.rejects(startKindSource(t, { kind: 'file', ...config }), { message });
  }
});
