// What the server knows of a listener, whichever protocol it speaks.
import type { AddressInfo } from 'node:net';
import type { ListenerConfig } from '../../config/resolved.ts';

export interface Listener {
  readonly config: ListenerConfig;
  readonly connectionCount: number;
  /** Rejects with `listener_failed`. */
  start(): Promise<void>;
  address(): AddressInfo | string | null;
  /** Takes over another config for the same address, without closing anything. Throws `listener_failed`. */
  update(config: ListenerConfig): void;
  /** Stops accepting, lets what is in work finish for `drainMs`, then cuts. */
  close(drainMs: number): Promise<void>;
}

/** Listeners with equal addresses are one and the same across a reload. */
export function addressOf(config: ListenerConfig): string {
  if (config.kind === 'unix') {
    return `unix ${config.path}${config.serve.includes('systemd') ? ' for systemd' : ''}`;
  }
  if (config.kind === 'systemd') return `systemd ${config.name}`;
  return `tcp ${config.host}:${config.port}${config.tls === undefined ? '' : ' tls'}`;
}
