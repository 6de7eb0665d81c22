// What a viewer can do in the demo, and what there is to see: two sides with the same four services and the same key.
import { describeError } from '../../base/errors.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { createAccessLog } from './access-log.ts';
import { createAccessScene } from './access-scene.ts';
import { verifyBeforeTheViewer } from './audit-scene.ts';
import { databaseTtlSeconds } from './demo-files.ts';
import { type DemoStage, orderService, services } from './demo-stage.ts';
import type { AuditView, DatabaseView, DemoView, ServiceView, SideView } from './demo-view.ts';
import { deploymentMs, type HardCodedSide, hardCoded } from './hard-coded-side.ts';
import { createKeyScene } from './key-scene.ts';
import { failedMsOf, type ServiceCalls } from './payments-api.ts';

export type DemoAction = 'rotate' | 'leak' | 'access' | 'verify';

export interface DemoPlay {
  /** How things stand now. */
  view(): DemoView;
  /** Looks at what is not counted here: the audit files and the agent's own account. */
  look(): Promise<void>;
  /** False: something of its kind is still going on. What becomes of it stands in the view. */
  begin(action: DemoAction): boolean;
}

interface PlayOptions {
  readonly stage: DemoStage;
  readonly hardCodedSide: HardCodedSide;
  readonly signal: AbortSignal;
}

const names = Object.keys(services);

export function createDemoPlay({ stage, hardCodedSide, signal }: PlayOptions): DemoPlay {
  const { places, payments } = stage;
  const client = createTypedClient(places.socket);
  const key = createKeyScene(stage, hardCodedSide, signal);
  const access = createAccessScene(stage);
  const going = new Set<string>();
  const log = createAccessLog(places.audit);
  let rotation: DemoView['rotation'] = null;
  let databaseEndsAt: string | null = null;
  let audit: AuditView | null = null;
  let trouble: string | null = null;

  const actions: Readonly<Record<DemoAction, readonly [kind: string, work: () => Promise<void>]>> = {
    rotate: ['key', key.rotate],
    leak: ['key', key.leak],
    access: ['access', access.change],
    verify: [
      'verify',
      async () => {
        audit = await verifyBeforeTheViewer(places);
      },
    ],
  };

  /** Of what is asked from then on; verifying changes nothing. */
  function titleOf(action: DemoAction): string | undefined {
    if (action === 'rotate') return 'Since the key was rotated';
    if (action === 'leak') return 'Since the key leaked';
    if (action === 'verify') return undefined;
    return stage.refundsMayRead()
      ? 'Since access was taken from the Refund Worker'
      : 'Since access was given back to the Refund Worker';
  }

  function sideView(nameOf: (name: string) => string, deploying?: string): SideView {
    const all = names.map((name) => serviceView(stage, name, nameOf(name), key.putAt(), deploying));
    return {
      services: all,
      broken: all.filter(({ state }) => state === 'broken').length,
      downMs: all.reduce((sum, { downMs }) => sum + downMs, 0),
      deployments: nameOf === hardCoded ? hardCodedSide.deployments : 0,
    };
  }

  return {
    view: () => ({
      ...key.view(),
      log: log.view(),
      rotation,
      deploymentMs,
      latchkey: sideView((name) => name),
      hardCoded: sideView(hardCoded, hardCodedSide.deploying),
      database: stage.hasDatabase ? databaseView(payments.calls(orderService), databaseEndsAt) : null,
      access: access.view(),
      audit,
      trouble,
    }),
    async look() {
      log.look();
      const [{ rotations }, { leases }] = await Promise.all([client.timeline('stripe', 1), client.status()]);
      rotation = rotations[0] ?? null;
      databaseEndsAt =
        leases
          .map(({ expires_at }) => expires_at ?? '')
          .sort()
          .at(-1) ?? null;
    },
    begin(action) {
      const [kind, work] = actions[action];
      if (going.has(kind)) return false;
      going.add(kind);
      trouble = null;
      const title = titleOf(action);
      if (title !== undefined) log.begin(title);
      void work()
        .catch((error: unknown) => {
          trouble = signal.aborted ? null : describeError(error);
        })
        .finally(() => going.delete(kind));
      return true;
    },
  };
}

function serviceView(
  stage: DemoStage,
  name: string,
  called: string,
  putAt: number | undefined,
  deploying: string | undefined,
): ServiceView {
  const service = stage.payments.calls(called);
  const first = service.firstUse.get(stage.key());
  return {
    name,
    how: called === name ? (services[name] ?? '') : 'has its key in its environment',
    state: stateOf(service),
    isDeploying: deploying === called,
    keyNumber: service.key === undefined ? 0 : stage.keyNumber(service.key),
    calls: service.calls,
    failed: service.failed,
    downMs: failedMsOf(service),
    movedAfterMs: first === undefined || putAt === undefined ? null : Math.max(0, first - putAt),
  };
}

function stateOf({ failingSince, deniedSince }: ServiceCalls): ServiceView['state'] {
  if (failingSince !== undefined) return 'broken';
  return deniedSince === undefined ? 'working' : 'denied';
}

function databaseView(orders: ServiceCalls, endsAt: string | null): DatabaseView {
  return {
    livesSeconds: databaseTtlSeconds,
    endsAt,
    logins: orders.queries,
    users: orders.databaseUsers.size,
    failed: orders.failedQueries,
  };
}
