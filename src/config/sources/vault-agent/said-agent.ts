// What the files of one Vault Agent or OpenBao agent or proxy say, read but not yet put into latchkey's words.
import type { SaidTemplate } from '../consul-template/read-template.ts';
import type { Said, SaidKeys } from '../hcl/block.ts';
import type { Origin } from '../hcl/report.ts';
import type { MapTree } from '../hcl/tree.ts';

export interface SaidAgent
  extends SaidKeys<{
    exitAfterAuth: boolean;
    pidFile: string;
    logLevel: string;
    logFormat: string;
    logFile: string;
  }> {
  readonly vault: SaidVault | undefined;
  readonly autoAuth: SaidAutoAuth | undefined;
  readonly cache: SaidCache | undefined;
  readonly apiProxy: SaidApiProxy | undefined;
  readonly listeners: readonly SaidListener[];
  readonly templates: readonly SaidTemplate[];
  readonly templateConfig: SaidTemplateConfig | undefined;
  readonly envTemplates: readonly SaidEnvTemplate[];
  readonly exec: SaidAgentExec | undefined;
}

export interface SaidVault
  extends SaidKeys<{
    address: string;
    namespace: string;
    caCert: string;
    caPath: string;
    clientCert: string;
    clientKey: string;
    tlsServerName: string;
    tlsSkipVerify: boolean;
    retries: number;
  }> {
  readonly origin: Origin;
}

export interface SaidAutoAuth {
  readonly origin: Origin;
  readonly method: SaidMethod;
  readonly sinks: readonly SaidSink[];
}

export interface SaidMethod
  extends SaidKeys<{
    mountPath: string;
    namespace: string;
    wrapTtl: number;
    minBackoff: number;
    maxBackoff: number;
    exitOnError: boolean;
  }> {
  readonly origin: Origin;
  readonly type: Said<string>;
  readonly config: MapTree | undefined;
  /** Of the block `config`. */
  readonly configOrigin: Origin;
}

export interface SaidSink
  extends SaidKeys<{
    wrapTtl: number;
    dhType: string;
    dhPath: string;
    deriveKey: boolean;
    aad: string;
    aadVariable: string;
  }> {
  readonly origin: Origin;
  readonly type: Said<string>;
  readonly config: MapTree | undefined;
  readonly configOrigin: Origin;
}

export interface SaidCache {
  readonly origin: Origin;
  readonly useAutoAuthToken: Said<boolean | 'force'> | undefined;
}

export interface SaidApiProxy {
  readonly origin: Origin;
  readonly useAutoAuthToken: Said<boolean | 'force'> | undefined;
  /** By `use_auto_auth_token` in a block cache: there is no block api_proxy. */
  readonly isImplied: boolean;
}

export interface SaidListener
  extends SaidKeys<{
    address: string;
    role: string;
    tlsDisable: boolean;
    tlsCertFile: string;
    tlsKeyFile: string;
    requireRequestHeader: boolean;
    socketMode: string;
    socketUser: string;
    socketGroup: string;
    enableQuit: boolean;
  }> {
  readonly origin: Origin;
  readonly type: Said<string>;
}

export interface SaidTemplateConfig {
  readonly origin: Origin;
  readonly exitOnRetryFailure: Said<boolean> | undefined;
  readonly staticInterval: Said<number> | undefined;
}

export interface SaidEnvTemplate {
  readonly name: Said<string>;
  readonly template: SaidTemplate;
}

export interface SaidAgentExec
  extends SaidKeys<{
    command: readonly string[];
    restart: string;
    stopSignal: string;
  }> {
  readonly origin: Origin;
}
