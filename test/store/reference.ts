import t from 'tap';
import { createReference, referenceKey } from '../../src/store/reference.ts';

const keyOf = (path: string, more: Partial<Parameters<typeof createReference>[0]> = {}) =>
  referenceKey(createReference({ upstream: 'vault', path, ...more }));

t.test('spellings of one reference have one key', async (t) => {
  t.equal(keyOf('secret/a'), 'vault:read secret/a');
  t.equal(keyOf('/secret//a/'), 'vault:read secret/a');
  t.equal(keyOf('a', { parameters: { x: '1', b: '2' } }), keyOf('a', { parameters: { b: '2', x: '1' } }));
});

t.test('what differs has another key', async (t) => {
  const keys = [
    keyOf('a'),
    keyOf('a', { operation: 'list' }),
    keyOf('a', { operation: 'write' }),
    keyOf('a', { upstream: 'other' }),
    keyOf('a?version=1'),
    keyOf('a', { parameters: { version: '1' } }),
    keyOf('a', { operation: 'write', parameters: { version: '1' } }),
    keyOf('a', { operation: 'write', parameters: { version: '2' } }),
  ];
  t.equal(new Set(keys).size, keys.length);
});

t.test('the arguments of a write are not in its key', async (t) => {
  const key = keyOf('transit/encrypt/a', { operation: 'write', parameters: { plaintext: 'hunter2' } });
  t.match(key, /^vault:write transit\/encrypt\/a -> [0-9a-f]{16}$/);
});
