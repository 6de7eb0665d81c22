import t from 'tap';
import { decideTtl } from '../../src/tokens/ttl-policy.ts';

const mount = { mountDefaultSeconds: 1000, mountMaxSeconds: 5000 };
const now = 1_000_000_000;

const cases: [name: string, question: object, seconds: number | undefined][] = [
  ["takes the mount's default", {}, 1000],
  ["takes the role's time", { ttlSeconds: 60 }, 60],
  ['takes what is asked', { ttlSeconds: 60, incrementSeconds: 90 }, 90],
  ["caps at the role's maximum", { incrementSeconds: 900, maxTtlSeconds: 300 }, 300],
  ["caps at the mount's maximum", { incrementSeconds: 9000 }, 5000],
  ['counts from the issue', { incrementSeconds: 900, maxTtlSeconds: 1000, issuedAtMs: now - 400_000 }, 600],
  ['ends at the maximum', { maxTtlSeconds: 100, issuedAtMs: now - 100_000 }, undefined],
  ['gives a period for ever', { periodSeconds: 60, issuedAtMs: now - 9_000_000 }, 60],
  ['caps a period', { periodSeconds: 9000 }, 5000],
  [
    'ends a period at the explicit maximum',
    { periodSeconds: 60, explicitMaxTtlSeconds: 100, issuedAtMs: now - 80_000 },
    20,
  ],
];

for (const [name, question, seconds] of cases) {
  t.test(name, async (t) => t.equal(decideTtl({ ...mount, ...question }, now)?.seconds, seconds));
}

t.test('says when it caps', async (t) => {
  t.match(decideTtl({ ...mount, incrementSeconds: 7200 }, now)?.warnings, [
    /^TTL of "2h" exceeded the effective max_ttl of/,
  ]);
});
