import t from 'tap';
import { nearest } from '../../../src/base/text/nearest.ts';

t.test('finds the word with the fewest edits', async (t) => {
  const known = ['address', 'auth', 'audit', 'secrets', 'on_rotation', 'toUpper', 'toLower', 'password'];
  t.equal(nearest('adress', known), 'address');
  t.equal(nearest('atuh', known), 'auth');
  t.equal(nearest('AUDIT', known), 'audit');
  t.equal(nearest('on-rotation', known), 'on_rotation');
  t.equal(nearest('toUPPER', known), 'toUpper');
  t.equal(nearest('pasword', known), 'password');
});

t.test('guesses nothing when all are far', async (t) => {
  t.equal(nearest('frobnicate', ['address', 'auth']), undefined);
  t.equal(nearest('lookup', ['toUpper', 'toLower', 'secrets']), undefined);
  t.equal(nearest('x', ['address']), undefined);
  t.equal(nearest('anything', []), undefined);
});

t.test('takes a long word for no slip, and is quick about it', async (t) => {
  const word = 'x'.repeat(1_000_000);
  t.equal(nearest(word, [`${word}y`]), undefined);
});
