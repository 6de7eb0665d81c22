import t from 'tap';
import type { JsonObject } from '../../../src/base/text/json.ts';
import { pickField, plainFields } from '../../../src/upstream/onepassword/onepassword-item.ts';
import { parseItemPath } from '../../../src/upstream/onepassword/onepassword-path.ts';
import { startFakeService } from '../../support/fake-service.ts';
import { startKindSource } from '../../support/kind-source.ts';

const item: JsonObject = {
  id: 'i',
  version: '3',
  sections: [{ id: 's1', label: 'Admin' }],
  fields: [
    { id: 'username', label: 'username', value: 'joe' },
    { id: 'f1', label: 'Password', value: 'plain' },
    { id: 'f2', label: 'password', section: { id: 's1' }, value: 'admin' },
    { id: 'f3', label: 'port', section: { id: 's1' }, value: '1' },
    { id: 'f4', label: 'port', section: { id: 's2' }, value: '2' },
    { id: 'otp', label: 'one-time', totp: '123456', value: 'otpauth://totp/x?secret=y&period=20' },
  ],
  files: [{ id: 'file1', name: 'ca.pem' }],
};

t.test('a path names vault, item, section and field, by title or id, whatever their case', async (t) => {
  t.match(parseItemPath('op:/My%20Vault/It%2Fem/Sec/Field'), {
    vault: 'My Vault',
    item: 'It/em',
    section: 'Sec',
    field: 'Field',
  });
  t.match(parseItemPath('v/i'), { vault: 'v', item: 'i', field: undefined });
  t.match(parseItemPath('op://v/i/f#otp'), { field: 'f', attribute: 'otp' });
  for (const path of ['op://v', 'x', 'op://a/b/c/d/e', 'op:///b/c'])
    t.throws(() => parseItemPath(path), { code: 'request_invalid' });
  const pick = (path: string) => pickField(item, parseItemPath(path))?.value;
  t.equal(pick('v/i/PASSWORD'), 'plain', 'without a section one that is in none');
  t.equal(pick('v/i/admin/password'), 'admin');
  t.equal(pick('v/i/s1/f2'), 'admin');
  t.equal(pick('v/i/none'), undefined);
  t.throws(() => pick('v/i/port'), { code: 'request_invalid', remedy: /name its section/ });
  t.match(plainFields(item), {
    username: 'joe',
    Password: 'plain',
    password: 'admin',
    port: '1',
    's2/port': '2',
  });
});

t.test(
  'one-time passwords end, files are bytes, titles that are there twice are refused, and one count serves all',
  async (t) => {
    let contentVersion = 5;
    const vault = 'v'.repeat(26);
    const service = await startFakeService(t, ({ path, query }) => {
      if (path === '/v1/vaults') return { json: [{ id: vault, name: 'V' }] };
      if (path === `/v1/vaults/${vault}`) return { json: { id: vault, contentVersion } };
      if (path.endsWith('/items'))
        return {
          json: (query.get('filter')?.includes('twice') ? ['a', 'b'] : ['i']).map((id) => ({
            id,
            title: 'x',
          })),
        };
      return path.endsWith('/content') ? { text: Buffer.from([0, 255]) } : { json: item };
    });
    const up = await startKindSource(
      t,
      { kind: 'onepassword' },
      { env: { OP_CONNECT_HOST: service.address, OP_CONNECT_TOKEN: 't' } },
    );
    const otp = await up.read('op://V/item/one-time#otp');
    t.match(otp, { kind: 'rotating' });
    t.ok((otp.ttlSeconds ?? 99) <= 20, 'its period is told by what the field holds');
    t.equal(
      await up.isCurrent?.('op://V/item/one-time#otp', otp),
      undefined,
      'the count of changes says nothing of it',
    );
    const { content } = await up.read('op://V/item/ca.pem');
    t.same(content.form === 'bytes' && content.value.bytes(), Buffer.from([0, 255]));
    await t.rejects(up.read('op://V/twice/x'), {
      code: 'request_invalid',
      message: /several: item V\/twice: a, b/,
    });
    const answer = await up.read('op://V/item/username');
    const before = service.requests.length;
    t.equal(await up.isCurrent('op://V/item/username', answer), true);
    t.equal(service.requests.length, before + 1, 'one small request');
    contentVersion += 1;
    t.equal(await up.isCurrent('op://V/item/username', answer), undefined);
  },
);
