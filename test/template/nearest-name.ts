import t from 'tap';
import { nearestName } from '../../src/template/nearest-name.ts';

t.test('finds the name that was meant, and none for a stranger', async (t) => {
  const names = ['toUpper', 'toLower', 'secret', 'secrets', 'password'];
  t.equal(nearestName('toUPPER', names), 'toUpper');
  t.equal(nearestName('pasword', names), 'password');
  t.equal(nearestName('secert', names), 'secret');
  t.equal(nearestName('lookup', names), null);
  t.equal(nearestName('x', names), null);
});

t.test('takes a long name for no slip, and is quick about it', (t) => {
  const name = 'x'.repeat(1_000_000);
  t.equal(nearestName(name, [`${name}y`]), null);
  t.end();
});
