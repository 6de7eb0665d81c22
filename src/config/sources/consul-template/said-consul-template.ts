// What the files of one consul-template or envconsul say, read but not yet put into latchkey's words.
import type { Said } from '../hcl/block.ts';
import type { Wait } from '../hcl/record.ts';
import type { Origin } from '../hcl/report.ts';
import type { SaidExec, SaidTemplate } from './read-template.ts';

/** What both tools have. */
export interface SaidCommon {
  readonly vault: SaidVaultClient | undefined;
  readonly exec: SaidExec | undefined;
  readonly killSignal: Said<string> | undefined;
  readonly reloadSignal: Said<string> | undefined;
  readonly logLevel: Said<string> | undefined;
  readonly pidFile: Said<string> | undefined;
  readonly syslog: Origin | undefined;
  readonly wait: Said<Wait> | undefined;
  /** `{{ env "CONSUL_HTTP_ADDR" }}` in a template sees it. */
  readonly consulAddress: Said<string> | undefined;
}

export interface SaidConsulTemplate extends SaidCommon {
  readonly templates: readonly SaidTemplate[];
  readonly leftDelimiter: Said<string> | undefined;
  readonly rightDelimiter: Said<string> | undefined;
  readonly logFile: Said<string> | undefined;
}

export interface SaidVaultClient {
  readonly origin: Origin;
  readonly address: Said<string> | undefined;
  readonly enabled: Said<boolean> | undefined;
  readonly namespace: Said<string> | undefined;
  readonly renewToken: Said<boolean> | undefined;
  readonly token: Said<string> | undefined;
  readonly tokenFile: Said<string> | undefined;
  readonly unwrapToken: Said<boolean> | undefined;
  readonly defaultLease: Said<number> | undefined;
  readonly kubernetesRole: Said<string> | undefined;
  readonly kubernetesTokenPath: Said<string> | undefined;
  readonly kubernetesMount: Said<string> | undefined;
  readonly ssl: SaidSsl | undefined;
}

export interface SaidSsl {
  readonly origin: Origin;
  readonly enabled: Said<boolean> | undefined;
  readonly verify: Said<boolean> | undefined;
  readonly caCert: Said<string> | undefined;
  readonly caPath: Said<string> | undefined;
  readonly cert: Said<string> | undefined;
  readonly key: Said<string> | undefined;
  readonly serverName: Said<string> | undefined;
}
