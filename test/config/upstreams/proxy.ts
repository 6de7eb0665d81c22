// The proxy of the environment as Go reads it, and the URL of one as a config has it.
import t from 'tap';
import { createProblems, type Place } from '../../../src/config/problems.ts';
import { proxyFromEnvironment, resolveProxy } from '../../../src/config/upstreams/proxy.ts';

const of = (address: string, env: Record<string, string>) =>
  proxyFromEnvironment(address, (name) => env[name])?.url;
const proxy = 'http://p:3128';

t.test('the variable goes by the scheme, those of Vault go before', async (t) => {
  const all = { HTTPS_PROXY: 'http://s:1', http_proxy: 'http://h:1' };
  t.equal(of('https://v.example', all), 'http://s:1');
  t.equal(of('http://v.example', all), 'http://h:1');
  t.equal(of('https://v.example', { ...all, VAULT_HTTP_PROXY: 'old:1' }), 'http://old:1');
  t.equal(of('https://v.example', { ...all, VAULT_HTTP_PROXY: 'old:1', VAULT_PROXY_ADDR: proxy }), proxy);
  t.equal(of('https://v.example', { HTTPS_PROXY: '' }), undefined);
});

t.test('what goes without one', async (t) => {
  const cases: [string, string, boolean][] = [
    ['https://v.example:8200', '', false],
    ['https://v.example:8200', 'other.example, v.example', true],
    ['https://a.v.example', 'v.example', true],
    ['https://av.example', 'v.example', false],
    ['https://v.example', '.v.example', false],
    ['https://a.v.example', '*.v.example', true],
    ['https://v.example:8200', 'v.example:8200', true],
    ['https://v.example', 'v.example:8200', false],
    ['https://v.example', 'v.example:443', true],
    ['https://v.example', '*', true],
    ['https://10.1.2.3:8200', '10.0.0.0/8', true],
    ['https://11.1.2.3:8200', '10.0.0.0/8', false],
    ['https://10.1.2.3:8200', '10.1.2.3', true],
    ['https://[fd00::1]:8200', 'fd00::/8', true],
    ['https://[fd00::1]:8200', 'fd00::1', true],
    ['https://localhost:8200', '', true],
    ['https://127.0.0.1:8200', '', true],
    ['https://[::1]:8200', '', true],
  ];
  for (const [address, without, isDirect] of cases) {
    const got = of(address, { HTTPS_PROXY: proxy, NO_PROXY: without });
    t.equal(got, isDirect ? undefined : proxy, `${address} with NO_PROXY=${without}`);
    t.equal(of(address, { VAULT_PROXY_ADDR: proxy, NO_PROXY: without }), proxy);
  }
});

t.test('name and password are kept apart from what may be told', async (t) => {
  const place = {} as Place;
  const problems = createProblems();
  const { url, authorization } = resolveProxy('http://me:p%40ss@p.example:3128', place, problems) ?? {};
  t.equal(url, 'http://p.example:3128');
  t.equal(authorization, `Basic ${Buffer.from('me:p@ss').toString('base64')}`);
});
