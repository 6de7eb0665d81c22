// The other side of the demo: the same service program, four times, each with the key in its environment as it was deployed.
// A new key reaches a service by a deployment, and by nothing else.
import { setTimeout as delay } from 'node:timers/promises';
import { type DemoStage, services } from './demo-stage.ts';

export interface HardCodedSide {
  /** How many deployments there were. */
  readonly deployments: number;
  /** Which is being deployed. */
  readonly deploying: string | undefined;
  /** One after the other, as a team does it; the waits are ours, what breaks meanwhile is not. */
  deployAll(key: string): Promise<void>;
}

/** Stands for a pipeline of minutes: build, review, roll out. */
export const deploymentMs = 6000;

/** The name under which one of its services is known. */
export function hardCoded(service: string): string {
  return `hard-coded/${service}`;
}

export async function startHardCodedSide(stage: DemoStage, signal: AbortSignal): Promise<HardCodedSide> {
  const { programs, payments, service, until } = stage;
  const names = Object.keys(services).map(hardCoded);
  let deployments = 0;
  let deploying: string | undefined;

  function startOne(name: string, itsKey: string): void {
    const env = { STRIPE_API_KEY: itsKey, PAYMENTS_URL: payments.url };
    programs.start(name, [...service, 'environment', name], env);
  }

  for (const name of names) startOne(name, stage.key());
  await until('the services with a hard-coded key call the payment provider', async () =>
    names.every((name) => payments.calls(name).calls >= 1),
  );
  return {
    get deployments() {
      return deployments;
    },
    get deploying() {
      return deploying;
    },
    async deployAll(newKey) {
      for (const name of names) {
        deploying = name;
        await delay(deploymentMs, undefined, { signal });
        await programs.stop(name);
        startOne(name, newKey);
        deployments += 1;
        await until(`${name} calls again`, async () => payments.calls(name).key === newKey);
      }
      deploying = undefined;
    },
  };
}
