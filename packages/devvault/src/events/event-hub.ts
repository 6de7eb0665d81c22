// Events as Vault shapes them (CloudEvents 1.0, JSON), handed to whoever listens. Who may listen is the subscriber's side.
import type { Clock } from '../../../../src/base/time/clock.ts';
import { newUuid } from '../identifiers.ts';
import { type Mount, mountPath, type Namespace } from '../namespace.ts';

export interface VaultEvent {
  readonly type: string;
  readonly namespace: Namespace;
  readonly mount: Mount;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface EventHub {
  publish(event: VaultEvent): void;
  /** Calls back for each event until the returned function is called. */
  listen(listener: (event: VaultEvent, message: object) => void): () => void;
  readonly listeners: number;
  close(): void;
}

export function createEventHub(clock: Clock): EventHub {
  const listeners = new Set<(event: VaultEvent, message: object) => void>();
  return {
    publish(event) {
      if (listeners.size === 0) return;
      const message = cloudEvent(event, clock.wall());
      for (const listener of [...listeners]) listener(event, message);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get listeners() {
      return listeners.size;
    },
    close: () => listeners.clear(),
  };
}

function cloudEvent(event: VaultEvent, nowMs: number): object {
  const id = newUuid();
  return {
    id,
    source: 'https://vaultproject.io/',
    specversion: '1.0',
    type: '*',
    data: {
      event: { id, metadata: event.metadata },
      event_type: event.type,
      ...(event.namespace.path === '' ? {} : { namespace: event.namespace.path }),
      plugin_info: {
        mount_class: event.mount.kind,
        mount_accessor: event.mount.accessor,
        mount_path: mountPath(event.mount),
        plugin: event.mount.type,
        ...(event.mount.options?.['version'] ? { version: event.mount.options['version'] } : {}),
      },
    },
    datacontentype: 'application/cloudevents',
    time: new Date(nowMs).toISOString(),
  };
}
