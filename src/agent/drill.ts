// What a rehearsal tells of each consumer of a secret, files and processes alike.
import type { DrilledFile } from '../render/drill.ts';
import type { Core } from './wire.ts';

export type DrillKind = 'rotation' | 'outage' | 'revocation';

export interface DrilledConsumer {
  /** `file:/etc/app.conf`, `process:analytics`. */
  readonly consumer: string;
  /** `recovers` · `restarts` · `unknown` · `keeps` · `fails` */
  readonly outcome: string;
  /** One sentence. */
  readonly note: string;
  readonly steps: readonly object[];
}

export function drilledFile(file: DrilledFile): DrilledConsumer {
  return { consumer: `file:${file.destination}`, outcome: file.outcome, note: file.note, steps: file.steps };
}

/** A process is not rehearsed: its config says what a rotation would do to it. */
export function drilledProcesses(core: Core, key: string, kind: DrillKind): DrilledConsumer[] {
  return core.environments.configsUsing(key).map(({ name, onRotation }) => {
    const consumer = `process:${name}`;
    if (kind === 'outage')
      return { consumer, outcome: 'keeps', note: 'it goes on with the environment that it has', steps: [] };
    if (onRotation.kind === 'restart')
      return { consumer, outcome: 'restarts', note: 'it is restarted with the new environment', steps: [] };
    if (onRotation.kind === 'signal') {
      return {
        consumer,
        outcome: 'unknown',
        note: `it gets ${onRotation.signal}; its environment stays as it is until a restart`,
        steps: [],
      };
    }
    return {
      consumer,
      outcome: 'fails',
      note: 'on_rotation: none leaves it with the old environment',
      steps: [],
    };
  });
}
