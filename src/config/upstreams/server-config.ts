// What all upstreams share that are reached over HTTP: how the server is verified, and what asking it may cost.

import type { LimitsConfig } from './limits.ts';
import type { ProxyConfig } from './proxy.ts';

export interface ServerConfig extends LimitsConfig {
  readonly tls: TlsConfig;
  /** On the way to all of its addresses. */
  readonly proxy?: ProxyConfig | undefined;
  readonly budget: BudgetConfig;
  /** Milliseconds for one request, from sending to the last byte. */
  readonly timeoutMs: number;
  /** Bytes of one answer. */
  readonly maxBodyBytes: number;
}

export interface TlsConfig {
  readonly caFile: string | undefined;
  readonly caPath: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly serverName: string | undefined;
  readonly skipVerify: boolean;
  /** PEM that a kind has found elsewhere than in files of this config (a kubeconfig); goes before the files. */
  readonly inline?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface BudgetConfig {
  readonly requestsPerSecond: number;
  readonly concurrency: number;
}
