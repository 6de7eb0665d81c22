import { readFileSync } from 'node:fs';
import t from 'tap';
import type { SourceStateName } from '../../../src/upstream/source-state.ts';
import type { AuthConfig } from '../../../src/upstream/vault/config/vault-config.ts';

/** Complete by type: a new state or method does not compile before it is named here. */
const states: Record<SourceStateName, true> = {
  starting: true,
  logging_in: true,
  ready: true,
  login_failed: true,
  denied: true,
  sealed: true,
  uninitialized: true,
  standby: true,
  rate_limited: true,
  unavailable: true,
  tls_failed: true,
  dns_failed: true,
  answer_invalid: true,
  closed: true,
};
const methods: Record<AuthConfig['method'], true> = {
  token: true,
  none: true,
  token_file: true,
  approle: true,
  jwt: true,
  kubernetes: true,
  cert: true,
  userpass: true,
  ldap: true,
  aws: true,
  alicloud: true,
  oci: true,
  kerberos: true,
  cf: true,
  gcp: true,
  azure: true,
};

function firstColumn(page: string): string[] {
  const text = readFileSync(new URL(`../../../docs/reference/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^\| `(\w+)` *\|/gm)].map(([, name = '']) => name).sort();
}

t.test('every state and every auth method has its row, and no row is stale', async (t) => {
  t.same(firstColumn('upstream-states.md'), Object.keys(states).sort());
  t.same(firstColumn('auth-methods.md'), Object.keys(methods).sort());
});
