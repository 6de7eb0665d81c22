// What the files of one consul-template or envconsul say, read but not yet put into latchkey's words.
import type { SaidKeys } from '../hcl/block.ts';
import type { Wait } from '../hcl/record.ts';
import type { Origin } from '../hcl/report.ts';
import type { SaidExec, SaidTemplate } from './read-template.ts';

/** What both tools have. */
export interface SaidCommon
  extends SaidKeys<{
    killSignal: string;
    reloadSignal: string;
    logLevel: string;
    pidFile: string;
    wait: Wait;
  }> {
  readonly vault: SaidVaultClient | undefined;
  readonly consul: SaidConsul | undefined;
  readonly exec: SaidExec | undefined;
  readonly syslog: Origin | undefined;
}

/** What `env` in a template sees of it: `CONSUL_HTTP_ADDR` and so on. */
export interface SaidConsul extends SaidKeys<{ address: string; tokenFile: string }> {
  readonly origin: Origin;
  readonly ssl: SaidSsl | undefined;
}

export interface SaidConsulTemplate
  extends SaidCommon,
    SaidKeys<{
      leftDelimiter: string;
      rightDelimiter: string;
      logFile: string;
    }> {
  readonly templates: readonly SaidTemplate[];
}

export interface SaidVaultClient
  extends SaidKeys<{
    address: string;
    enabled: boolean;
    namespace: string;
    token: string;
    tokenFile: string;
    unwrapToken: boolean;
    defaultLease: number;
    kubernetesRole: string;
    kubernetesToken: string;
    kubernetesTokenPath: string;
    kubernetesMount: string;
  }> {
  readonly origin: Origin;
  readonly ssl: SaidSsl | undefined;
}

export interface SaidSsl
  extends SaidKeys<{
    enabled: boolean;
    verify: boolean;
    caCert: string;
    caBytes: string;
    caPath: string;
    cert: string;
    key: string;
    serverName: string;
  }> {
  readonly origin: Origin;
}
