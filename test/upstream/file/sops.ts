// The files were written by SOPS 3.11; where `sops` is on the PATH it also judges what it writes today.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type DocumentMap, toJson } from '../../../src/upstream/file/document.ts';
import { parseFormat } from '../../../src/upstream/file/file-format.ts';
import { formatOfName } from '../../../src/upstream/file/file-kind.ts';
import { createKeyFileText, keyFromText } from '../../../src/upstream/file/seal-key.ts';
import { findSops, openSops } from '../../../src/upstream/file/sops.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/sops');
const keyText = readFileSync(join(fixtures, 'keys.txt'), 'utf8');

function read(name: string, bytes: Buffer): DocumentMap {
  const format = formatOfName(name);
  return parseFormat(
    format === undefined || format === 'raw' || format === 'folder' ? 'json' : format,
    bytes,
    name,
  );
}

async function openBytes(name: string, bytes: Buffer, key = keyText): Promise<unknown> {
  const document = read(name, bytes);
  const metadata = findSops(document);
  if (metadata === undefined) throw new Error(`${name} has no metadata of SOPS`);
  return JSON.parse(
    JSON.stringify(toJson(await openSops(document, metadata, await keyFromText(key, 'keys.txt'), name))),
  );
}

const fixture = (name: string) => readFileSync(join(fixtures, name));
const expected: Readonly<Record<string, unknown>> = {
  'example.yaml': {
    db: {
      user: 'joe',
      port: 5432,
      ratio: 1.5,
      on: true,
      list: ['a', 'b', { c: 'd' }],
      empty: '',
      nothing: null,
      t: '2020-01-01T00:00:00Z',
    },
    10: 'x',
    2: 'y',
    plain_unencrypted: 'hi',
  },
  'example.json': { db: { user: 'joe', port: 5432, ratio: 1.5 }, 10: 'x', 2: 'y' },
  'example.env': { A: '1', B: 'two words', M: 'line1\nline2', E: '' },
  'example.ini': { db: { user: 'joe', port: '5432' } },
  'example.bin': { data: 'bin\0ary' },
  'partly.yaml': { user: 'joe', pass: 'hunter2', port: 5432, big: '1e+21' },
};

for (const [name, values] of Object.entries(expected)) {
  t.test(`opens ${name}`, async (t) => {
    const opened = (await openBytes(name, fixture(name))) as Record<string, unknown>;
    t.same(opened, name === 'partly.yaml' ? { ...(values as object), big: 1e21 } : values);
  });
}

t.test('values that stayed open count in the code over all', async (t) => {
  t.same(await openBytes('mixed.yaml', fixture('mixed.yaml')), {
    user: 'joe',
    pass: 'hunter2',
    port: 5432,
    ratio: 0.000001,
    big: 1e21,
    small: 1.5e-9,
    on: 'yes',
    when: '2020-01-01T00:00:00Z',
    off: false,
  });
  const text = fixture('mixed.yaml').toString();
  for (const [from, to] of [
    ['user: joe', 'user: ann'],
    ['port: 5432', 'port: 5433'],
    ['"off": false\n', ''],
  ] as const) {
    await t.rejects(openBytes('mixed.yaml', Buffer.from(text.replace(from, to))), {
      code: 'config_invalid',
      message: /was added, removed or changed/,
    });
  }
});

t.test('a value that was exchanged with another, or cut, is refused', async (t) => {
  const text = fixture('example.env').toString();
  const [, a = '', b = ''] = /^A=(.*)\nB=(.*)\n/.exec(text) ?? [];
  const swapped = text.replace(`A=${a}`, `A=${b}`).replace(`B=${b}`, `B=${a}`);
  await t.rejects(openBytes('x.env', Buffer.from(swapped)), {
    message: 'x.env: A: the value was changed after it was encrypted',
  });
  await t.rejects(
    openBytes('x.env', Buffer.from(text.replace('A=ENC[AES256_GCM,data:', 'A=ENC[AES256_GCM,data:AA'))),
    { code: 'config_invalid' },
  );
  await t.rejects(openBytes('x.env', Buffer.from(text.replace(/^sops_mac=.*\n/m, 'sops_mac=none\n'))), {
    message: /expected sops\.mac/,
  });
});

t.test('another key, or a file for no age recipient, is told with what helps', async (t) => {
  const other = await createKeyFileText(new Date());
  await t.rejects(openBytes('example.json', fixture('example.json'), other), {
    code: 'config_invalid',
    message: /for other age recipients than age1/,
    remedy: /--add-age/,
  });
  const kms =
    '{"a":"ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]","sops":{"kms":[{"arn":"x"}],"mac":"x","lastmodified":"x"}}';
  await t.rejects(openBytes('x.json', Buffer.from(kms)), {
    message: /encrypted for kms, expected an age recipient/,
  });
});

const sops =
  spawnSync('sops', ['--version', '--disable-version-check']).status === 0
    ? false
    : 'sops is not on the PATH';
t.test('opens what the sops command writes', { skip: sops }, async (t) => {
  const folder = t.testdir();
  const [, recipient = ''] = /public key: (\S+)/.exec(keyText) ?? [];
  const plain = { s: 'ä\n€', deep: { list: [{ x: '1' }, 'y'], flag: false }, n: 12.25 };
  writeFileSync(join(folder, 'plain.json'), JSON.stringify(plain));
  for (const format of ['json', 'yaml']) {
    const sealed = execFileSync('sops', ['-e', '--age', recipient, '--output-type', format, 'plain.json'], {
      cwd: folder,
    });
    t.same(await openBytes(`x.${format}`, sealed), plain);
  }
});
