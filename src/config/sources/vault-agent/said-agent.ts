// What the files of one Vault Agent or OpenBao agent or proxy say, read but not yet put into latchkey's words.
import type { SaidTemplate } from '../consul-template/read-template.ts';
import type { Said } from '../hcl/block.ts';
import type { Origin } from '../hcl/report.ts';
import type { MapTree } from '../hcl/tree.ts';

export interface SaidAgent {
  readonly vault: SaidVault | undefined;
  readonly autoAuth: SaidAutoAuth | undefined;
  readonly cache: SaidCache | undefined;
  readonly apiProxy: SaidApiProxy | undefined;
  readonly listeners: readonly SaidListener[];
  readonly templates: readonly SaidTemplate[];
  readonly templateConfig: SaidTemplateConfig | undefined;
  readonly envTemplates: readonly SaidEnvTemplate[];
  readonly exec: SaidAgentExec | undefined;
  readonly exitAfterAuth: Said<boolean> | undefined;
  readonly pidFile: Said<string> | undefined;
  readonly logLevel: Said<string> | undefined;
  readonly logFormat: Said<string> | undefined;
  readonly logFile: Said<string> | undefined;
}

export interface SaidVault {
  readonly origin: Origin;
  readonly address: Said<string> | undefined;
  readonly namespace: Said<string> | undefined;
  readonly caCert: Said<string> | undefined;
  readonly caPath: Said<string> | undefined;
  readonly clientCert: Said<string> | undefined;
  readonly clientKey: Said<string> | undefined;
  readonly tlsServerName: Said<string> | undefined;
  readonly tlsSkipVerify: Said<boolean> | undefined;
  readonly retries: Said<number> | undefined;
}

export interface SaidAutoAuth {
  readonly origin: Origin;
  readonly method: SaidMethod;
  readonly sinks: readonly SaidSink[];
}

export interface SaidMethod {
  readonly origin: Origin;
  readonly type: Said<string>;
  readonly mountPath: Said<string> | undefined;
  readonly namespace: Said<string> | undefined;
  readonly wrapTtl: Said<number> | undefined;
  readonly minBackoff: Said<number> | undefined;
  readonly maxBackoff: Said<number> | undefined;
  readonly exitOnError: Said<boolean> | undefined;
  readonly config: MapTree | undefined;
  /** Of the block `config`. */
  readonly configOrigin: Origin;
}

export interface SaidSink {
  readonly origin: Origin;
  readonly type: Said<string>;
  readonly wrapTtl: Said<number> | undefined;
  readonly dhType: Said<string> | undefined;
  readonly dhPath: Said<string> | undefined;
  readonly deriveKey: Said<boolean> | undefined;
  readonly aad: Said<string> | undefined;
  readonly aadVariable: Said<string> | undefined;
  readonly config: MapTree | undefined;
  readonly configOrigin: Origin;
}

export interface SaidCache {
  readonly origin: Origin;
  readonly useAutoAuthToken: Said<boolean | 'force'> | undefined;
  readonly persist: { readonly type: Said<string>; readonly origin: Origin } | undefined;
}

export interface SaidApiProxy {
  readonly origin: Origin;
  readonly useAutoAuthToken: Said<boolean | 'force'> | undefined;
  readonly prependNamespace: Said<boolean> | undefined;
  /** By `use_auto_auth_token` in a block cache: there is no block api_proxy. */
  readonly isImplied: boolean;
}

export interface SaidListener {
  readonly origin: Origin;
  readonly type: Said<string>;
  readonly address: Said<string> | undefined;
  readonly role: Said<string> | undefined;
  readonly tlsDisable: Said<boolean> | undefined;
  readonly tlsCertFile: Said<string> | undefined;
  readonly tlsKeyFile: Said<string> | undefined;
  readonly requireRequestHeader: Said<boolean> | undefined;
  readonly socketMode: Said<string> | undefined;
  readonly socketUser: Said<string> | undefined;
  readonly socketGroup: Said<string> | undefined;
  readonly enableQuit: Said<boolean> | undefined;
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

export interface SaidAgentExec {
  readonly origin: Origin;
  readonly command: Said<readonly string[]> | undefined;
  readonly restart: Said<string> | undefined;
  readonly stopSignal: Said<string> | undefined;
}
