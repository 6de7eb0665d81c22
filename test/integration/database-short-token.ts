// Leases end with the token that they were issued under: tokens that live for seconds, and real PostgreSQL logins that
// never fail meanwhile.
import t, { type Test } from 'tap';
import { mountDatabase } from '../support/database-engine.ts';
import { startLoginAgent } from '../support/login-agent.ts';
import { countLogins } from '../support/login-count.ts';
import { startPostgres } from '../support/postgres.ts';
import { type ServedVault, withEachVault } from '../support/served-vault.ts';

t.setTimeout(600_000);
t.jobs = 3;

interface Life {
  readonly token_ttl: string;
  readonly token_max_ttl: string;
  readonly token_type?: string;
  readonly seconds: number;
  /** Not in every run: it takes as long as its token. */
  readonly isLong?: boolean;
}

const lives: readonly Life[] = [
  { token_ttl: '10s', token_max_ttl: '10s', seconds: 22 },
  { token_ttl: '4s', token_max_ttl: '12s', seconds: 26 },
  { token_ttl: '10s', token_max_ttl: '10s', token_type: 'batch', seconds: 22 },
  { token_ttl: '20s', token_max_ttl: '45s', seconds: 60, isLong: true },
  { token_ttl: '60s', token_max_ttl: '60s', seconds: 75, isLong: true },
];

async function countUnder(t: Test, vault: ServedVault, { seconds, isLong, ...role }: Life): Promise<void> {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  const policy = 'path "database/creds/*" { capabilities = ["read"] }';
  const agent = await startLoginAgent(t, vault, { policy, role });
  await agent.untilReady();
  const { logins, failures, users } = await countLogins(postgres, agent.loginFile, seconds * 1000);
  t.strictSame(failures, []);
  t.ok(logins > 10, `${logins} logins`);
  const least = isLong === true ? 2 : 3;
  t.ok(users.size >= least && users.size <= 6, `${users.size} users: one for each token`);
  await agent.stop();
}

for (const life of lives) {
  const name = `no login fails under tokens of ${life.token_max_ttl} (${life.token_type ?? 'service'})`;
  withEachVault(name, (t, vault) => countUnder(t, vault, life), { isRealOnly: life.isLong === true });
}
