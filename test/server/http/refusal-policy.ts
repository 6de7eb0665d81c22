import t from 'tap';
import { isLoopback } from '../../../src/base/system/local-address.ts';
import { refusalOf } from '../../../src/server/http/refusal-policy.ts';

const unix = { isUnix: true, accepts: () => false };
const tcp = { isUnix: false, accepts: (hostname: string) => hostname === 'agent.example' };

t.test('takes requests that a local program makes', (t) => {
  for (const rules of [unix, tcp]) {
    for (const host of [
      'localhost',
      'LocalHost',
      'localhost:8100',
      '127.0.0.1',
      '127.9.9.9:1',
      '[::1]',
      '[::1]:80',
      undefined,
    ]) {
      t.equal(refusalOf(host === undefined ? {} : { host }, rules), undefined, `host ${host}`);
    }
  }
  for (const host of ['agent', 'latchkey', 'd', '', 'unix_1'])
    t.equal(refusalOf({ host }, unix), undefined, host);
  t.equal(refusalOf({ host: 'agent.example:443' }, tcp), undefined);
  t.end();
});

t.test('refuses what comes from a page, through a proxy or for another name', (t) => {
  const cases: [string, Record<string, string>][] = [
    ['origin', { origin: '' }],
    ['referer', { referer: 'x' }],
    ['page', { 'sec-fetch-site': 'cross-site' }],
    ['page', { 'sec-fetch-site': 'same-origin' }],
    ['page', { 'sec-fetch-site': '' }],
    ['forwarded', { 'x-forwarded-for': '' }],
    ['forwarded', { forwarded: 'for=x' }],
    ...[
      'evil.example',
      'localhost.example',
      '127.0.0.1.nip.io',
      '169.254.169.254',
      '[::2]',
      'localhost@evil',
      'a b',
      'localhost:x',
      '[',
      ']',
    ].map((host): [string, Record<string, string>] => ['host', { host }]),
  ];
  for (const rules of [unix, tcp]) {
    for (const [why, headers] of cases)
      t.match(refusalOf({ host: 'localhost', ...headers }, rules), { why }, JSON.stringify(headers));
  }
  t.match(refusalOf({ host: 'agent' }, tcp), { why: 'host' }, 'a bare name resolves to anything over TCP');
  t.match(refusalOf({ host: 'agent.example' }, unix), { why: 'host' });
  t.end();
});

t.test('knows loopback addresses', (t) => {
  for (const address of ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1'])
    t.ok(isLoopback(address), address);
  for (const address of ['128.0.0.1', '127.1', '::2', 'localhost', '', '0.0.0.0', '::'])
    t.notOk(isLoopback(address), address);
  t.end();
});
