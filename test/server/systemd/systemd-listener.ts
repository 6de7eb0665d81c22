import t from 'tap';
import { findCredential } from '../../../src/server/systemd/systemd-listener.ts';

const names = new Set(['stripe', 'app', 'app.db', 'a.b.c']);
const cases: [string, string, string | undefined][] = [
  ['stripe', 'stripe', undefined],
  ['stripe.key', 'stripe', 'key'],
  ['stripe.tls.key', 'stripe', 'tls.key'],
  ['app.db', 'app.db', undefined],
  ['app.db.user', 'app.db', 'user'],
  ['app.user', 'app', 'user'],
  ['a.b', 'a.b', undefined],
  ['a.b.c.d.e', 'a.b.c', 'd.e'],
  ['ghost.key', 'ghost.key', undefined],
  ['.key', '.key', undefined],
  ['', '', undefined],
];

for (const [id, name, field] of cases) {
  t.test(
    `the credential ${JSON.stringify(id)} is ${field === undefined ? 'the secret' : `field ${field} of`} ${name}`,
    (t) => {
      t.strictSame(
        findCredential(id, (known) => names.has(known)),
        { name, field },
      );
      t.end();
    },
  );
}
