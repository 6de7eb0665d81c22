import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  createKeyFileText,
  identityLines,
  isAgeFile,
  keyFromPassphrase,
  keyFromText,
} from '../../../src/upstream/file/seal-key.ts';

const hasAge = spawnSync('age', ['--version']).status === 0 ? false : 'age is not on the PATH';

t.test('what is sealed is opened by the key, and by no other', async (t) => {
  const text = await createKeyFileText(new Date(0));
  const [key, other] = [
    await keyFromText(text, 'a'),
    await keyFromText(await createKeyFileText(new Date()), 'b'),
  ];
  const sealed = await key.seal(Buffer.from('hunter2 \0\xff'));
  t.ok(isAgeFile(sealed));
  t.notMatch(sealed.toString('latin1'), /hunter2/);
  t.same(await key.tryOpen(sealed), Buffer.from('hunter2 \0\xff'));
  t.equal(await other.tryOpen(sealed), undefined);
  t.match(key.describe(), /^age1[a-z0-9]+ \(a\)$/);
});

t.test('a key file may hold several identities: the first seals, each opens', async (t) => {
  const [one, two] = [await createKeyFileText(new Date()), await createKeyFileText(new Date())];
  const sealed = await (await keyFromText(two, 'two')).seal(Buffer.from('x'));
  const both = await keyFromText(`${one}${two}`, 'both');
  t.equal(String(await both.tryOpen(sealed)), 'x');
  t.equal(identityLines(`${one}${two}`).length, 2);
  t.equal(String(await (await keyFromText(one, 'one')).tryOpen(await both.seal(Buffer.from('y')))), 'y');
});

t.test('a passphrase opens what it has sealed; another gives nothing', async (t) => {
  const key = keyFromPassphrase('correct horse', 'tty');
  const sealed = await key.seal(Buffer.from('x'));
  t.equal(String(await key.tryOpen(sealed)), 'x');
  t.equal(await keyFromPassphrase('wrong horse', 'tty').tryOpen(sealed), undefined);
});

t.test('a damaged file, a broken key and an absurd work factor are told without their content', async (t) => {
  const text = await createKeyFileText(new Date());
  const key = await keyFromText(text, 'the key file');
  const sealed = await key.seal(Buffer.from('hunter2'));
  const lines = sealed.toString('latin1').split('\n');
  const cut = Buffer.from(
    [...lines.slice(0, -4), lines.at(-3)?.slice(0, 20) ?? '', '-----END AGE ENCRYPTED FILE-----', ''].join(
      '\n',
    ),
  );
  await t.rejects(key.tryOpen(cut), { code: 'config_invalid', message: /damaged: the key file/ });
  const secret = identityLines(text)[0] ?? '';
  for (const wrong of ['', '# nothing', `${secret.slice(0, -3)}QQQ`]) {
    const error = await keyFromText(wrong, 'f').then(
      () => undefined,
      (e: Error) => e,
    );
    t.match(error, { code: 'config_invalid' });
    t.notOk(error?.message.includes(secret.slice(20, 40)));
  }
  const passphrase = keyFromPassphrase('x', 'tty');
  const sealedByPassphrase = await passphrase.seal(Buffer.from('x'));
  const { armor } = await import('age-encryption');
  const header = Buffer.from(armor.decode(sealedByPassphrase.toString('latin1')))
    .toString('latin1')
    .replace(/ 16\n/, ' 30\n');
  await t.rejects(passphrase.tryOpen(Buffer.from(header, 'latin1')), {
    message: /work factor of 30, at most 18/,
  });
});

t.test('the age command opens what is sealed here, and the other way round', { skip: hasAge }, async (t) => {
  const folder = t.testdir();
  const text = await createKeyFileText(new Date());
  const key = await keyFromText(text, 'k');
  writeFileSync(join(folder, 'key'), text);
  writeFileSync(join(folder, 'sealed'), await key.seal(Buffer.from('from here')));
  t.equal(String(execFileSync('age', ['-d', '-i', 'key', 'sealed'], { cwd: folder })), 'from here');
  const [, recipient = ''] = /public key: (\S+)/.exec(text) ?? [];
  for (const flags of [[], ['-a']]) {
    const theirs = execFileSync('age', [...flags, '-r', recipient], { input: 'from there' });
    t.equal(String(await key.tryOpen(theirs)), 'from there');
  }
});
