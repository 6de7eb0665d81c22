import t from 'tap';
import { loadConfigText } from '../../src/config/load.ts';

const configOf = (count: number, refresh: string, rate: number) =>
  JSON.stringify({
    upstreams: { vault: { address: 'http://127.0.0.1:9', budget: { requests_per_second: rate } } },
    secrets: Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`s${index}`, { path: `secret/s${index}`, refresh }]),
    ),
  });

t.test('says where the budget does not bear what the secrets ask for, and what to set', async (t) => {
  const load = (text: string) =>
    loadConfigText('/x/latchkey.yaml', text, { env: {}, checks: 'none' }).warnings.join('\n');
  t.match(
    load(configOf(300, '1s', 100)),
    /upstreams\.vault\.budget: refresh cannot be kept: 300 secrets ask 300 times a second.*set it to 360/,
  );
  t.equal(load(configOf(300, '30s', 100)), '');
});
