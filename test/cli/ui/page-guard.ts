// Who may see a page, and do what it offers.
import t from 'tap';
import { createPageGuard } from '../../../src/cli/ui/page-guard.ts';

function entered(canAct: boolean) {
  const guard = createPageGuard({ port: 1, command: 'latchkey demo', canAct, now: () => 0 });
  const { host, origin, searchParams } = new URL(guard.link());
  const entry = guard.judge({ method: 'GET', path: '/', query: searchParams, headers: { host } });
  const cookie = entry.kind === 'enter' ? (entry.cookie.split(';', 1)[0] ?? '') : '';
  const post = (headers: Record<string, string>) =>
    guard.judge({ method: 'POST', path: '/rotate', query: new URLSearchParams(), headers });
  return { host, origin, cookie, post };
}

t.test('what a page offers is done for its own user, from that page', async (t) => {
  const { host, origin, cookie, post } = entered(true);
  t.match(post({ host, origin, cookie }), { kind: 'act' });
  t.match(post({ host, cookie }), { kind: 'refuse', status: 403 }, 'from no page');
  t.match(
    post({ host, origin: 'http://127.0.0.1:1', cookie }),
    { kind: 'refuse', status: 403 },
    'another page',
  );
  t.match(post({ host, origin: 'null', cookie }), { kind: 'refuse', status: 403 }, 'a page without a name');
  t.match(post({ host, origin }), { kind: 'refuse', status: 403 }, 'without the cookie');
  t.match(post({ host: 'localhost:1', origin: 'http://localhost:1', cookie }), { kind: 'refuse' }, 'rebound');
  t.match(post({ host, origin, cookie, 'sec-fetch-site': 'same-site' }), { kind: 'refuse', status: 403 });
});

t.test('a page that only shows does nothing', async (t) => {
  const { host, origin, cookie, post } = entered(false);
  t.match(post({ host, origin, cookie }), { kind: 'refuse', status: 405 });
});
