import t from 'tap';
import { nearest } from '../../src/config/nearest.ts';

t.test('finds the word with the fewest edits', async (t) => {
  const known = ['address', 'auth', 'audit', 'secrets', 'on_rotation'];
  t.equal(nearest('adress', known), 'address');
  t.equal(nearest('atuh', known), 'auth');
  t.equal(nearest('AUDIT', known), 'audit');
  t.equal(nearest('on-rotation', known), 'on_rotation');
});

t.test('guesses nothing when all are far', async (t) => {
  t.equal(nearest('frobnicate', ['address', 'auth']), undefined);
  t.equal(nearest('x', ['address']), undefined);
  t.equal(nearest('anything', []), undefined);
});
