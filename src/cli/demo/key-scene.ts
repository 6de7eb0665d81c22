// The shared key of the demo is replaced, on both sides at once: as a rotation, or because a copy of it is with a thief.
import { setTimeout as delay } from 'node:timers/promises';
import { type DemoStage, refundWorker, services } from './demo-stage.ts';
import type { DemoView, ThiefView } from './demo-view.ts';
import type { HardCodedSide } from './hard-coded-side.ts';

export interface KeyScene {
  /** Ends when both sides have the new key. */
  rotate(): Promise<void>;
  leak(): Promise<void>;
  view(): Pick<DemoView, 'doing' | 'oldKeyEndsInMs' | 'thief'>;
  /** When the newest key was put in the vault, in milliseconds of `performance.now`. */
  putAt(): number | undefined;
}

/** How long the provider accepts the old key beside the new one. */
const graceMs = 5000;
/** So long a thief is seen at work before somebody notices. */
const unnoticedMs = 2500;
const moveDeadlineMs = 30_000;
const thief = 'thief';

export function createKeyScene(
  stage: DemoStage,
  hardCodedSide: HardCodedSide,
  signal: AbortSignal,
): KeyScene {
  const { payments, programs, until } = stage;
  let doing: DemoView['doing'] = 'nothing';
  let putAt: number | undefined;
  let oldKeyEndsAt: number | undefined;
  let stolen: { noticedAt?: number; deadAt?: number } | undefined;

  /** To each side in its own way; then the old one is revoked at the provider, for both. */
  async function replaceKey(waitMs: number): Promise<void> {
    const old = stage.key();
    const key = stage.newKey();
    putAt = performance.now();
    if (waitMs > 0) oldKeyEndsAt = putAt + waitMs;
    const deployments = hardCodedSide.deployAll(key);
    deployments.catch(() => undefined); // rejects below
    await stage.putKey(key);
    const moving = Object.keys(services).filter((name) => name !== refundWorker || stage.refundsMayRead());
    const moved = until(
      'all services of the agent use the new key',
      async () => moving.every((name) => payments.calls(name).key === key),
      moveDeadlineMs,
    );
    await Promise.all([moved, delay(waitMs, undefined, { signal })]);
    payments.revoke(old);
    oldKeyEndsAt = undefined;
    if (doing === 'leaked') {
      await until('the copy is refused', async () => payments.calls(thief).failed > 0);
      stolen = { ...stolen, deadAt: performance.now() };
    }
    await deployments;
  }

  async function sendThief(): Promise<void> {
    payments.forget(thief);
    stolen = {};
    const env = { STRIPE_API_KEY: stage.key(), PAYMENTS_URL: payments.url };
    programs.start(thief, [...stage.service, 'environment', thief], env);
    await until('the thief calls', async () => payments.calls(thief).calls > 0);
    await delay(unnoticedMs, undefined, { signal });
    stolen = { noticedAt: performance.now() };
  }

  async function during(what: DemoView['doing'], work: () => Promise<void>): Promise<void> {
    doing = what;
    try {
      await work();
    } finally {
      doing = 'nothing';
      oldKeyEndsAt = undefined;
      await programs.stop(thief);
    }
  }

  function thiefView({ noticedAt, deadAt }: NonNullable<typeof stolen>): ThiefView {
    const { calls, failed } = payments.calls(thief);
    const isDead = noticedAt !== undefined && deadAt !== undefined;
    return { accepted: calls - failed, refused: failed, deadAfterMs: isDead ? deadAt - noticedAt : null };
  }

  return {
    rotate: () => during('rotating', () => replaceKey(graceMs)),
    leak: () =>
      during('leaked', async () => {
        await sendThief();
        await replaceKey(0);
      }),
    view: () => ({
      doing,
      oldKeyEndsInMs: oldKeyEndsAt === undefined ? null : Math.max(0, oldKeyEndsAt - performance.now()),
      thief: stolen === undefined ? null : thiefView(stolen),
    }),
    putAt: () => putAt,
  };
}
