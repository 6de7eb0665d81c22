import t from 'tap';
import { createReference } from '../../../../src/store/reference.ts';
import type { VaultAnswer } from '../../../../src/upstream/vault/answer-policy.ts';
import { toSecretAnswer } from '../../../../src/upstream/vault/secrets/secret-answer.ts';
import { createTotpCodes } from '../../../../src/upstream/vault/secrets/totp-codes.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { interactive } from '../../../support/test-upstream.ts';

const mount = { prefix: 'team/totp/', kvVersion: 0, type: 'totp' } as const;

function answerOf(status: number, json: object): VaultAnswer {
  return { status, headers: {}, body: Buffer.from(JSON.stringify(json)), address: 'http://vault' };
}

/** The engine with a key of this period, read as a poll of a secret reads it. */
function startEngine(periodSeconds: number, key: 'told' | 'denied') {
  const clock = createFakeClock();
  const asked: string[] = [];
  const codes = createTotpCodes({
    clock,
    serverClock: { wall: clock.wall },
    async ask(path) {
      asked.push(path);
      return key === 'denied'
        ? answerOf(403, { errors: ['permission denied'] })
        : answerOf(200, { data: { period: periodSeconds, digits: 6 } });
    },
  });
  async function read(path = 'team/totp/code/app') {
    const code = String(Math.floor(clock.wall() / (periodSeconds * 1000)));
    const context = { what: path, operation: 'read', parameters: {}, mount, wallMs: clock.wall() } as const;
    const answer = toSecretAnswer(answerOf(200, { data: { code } }), context);
    return await codes.aged(answer, createReference({ upstream: 'vault', path }), mount, interactive());
  }
  /** To this many seconds after the begin of a minute. */
  async function toSecond(second: number): Promise<void> {
    const now = clock.wall() % 60_000;
    await clock.advance((second * 1000 - now + 60_000) % 60_000 || 60_000);
  }
  return { clock, asked, read, toSecond };
}

t.test('a code ends with its period, which the key tells once', async (t) => {
  const { asked, read, toSecond } = startEngine(20, 'told');
  for (const [second, left] of [
    [1, 19],
    [15, 5],
    [20, 20],
    [59, 1],
  ] as const) {
    await toSecond(second);
    t.match(await read(), { kind: 'rotating', ttlSeconds: left });
  }
  t.strictSame(asked, ['team/totp/keys/app']);
});

t.test(
  'where the key may not be read a period is 30 s, until its codes are seen to live longer',
  async (t) => {
    const { asked, read, toSecond } = startEngine(60, 'denied');
    await toSecond(1);
    t.match(await read(), { ttlSeconds: 29 });
    await toSecond(31);
    t.match(await read(), { ttlSeconds: 29 }, 'the clock of the server may be behind');
    await toSecond(36);
    t.match(await read(), { ttlSeconds: 24 });
    await toSecond(2);
    t.match(await read(), { ttlSeconds: 58 });
    await toSecond(4);
    t.match(await read(), { ttlSeconds: 56 });
    t.strictSame(asked, ['team/totp/keys/app']);
  },
);

t.test('what else the engine tells is no code', async (t) => {
  const { asked, read } = startEngine(30, 'told');
  for (const path of ['team/totp/keys/app', 'team/totp/code', 'team/totp/code/a/b'])
    t.match(await read(path), { kind: 'static', ttlSeconds: undefined });
  t.strictSame(asked, []);
});
