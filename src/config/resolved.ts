// The configuration as the agent uses it: every default filled in, durations in milliseconds, modes as numbers, names
// checked against each other. The file's own shape is in schema.ts; resolve.ts turns one into the other.
import type { UpstreamConfig } from './upstreams/kinds.ts';

export interface ResolvedConfig {
  readonly upstreams: readonly UpstreamConfig[];
  readonly secrets: readonly SecretConfig[];
  readonly files: readonly FileConfig[];
  readonly processes: readonly ProcessConfig[];
  readonly listeners: readonly ListenerConfig[];
  readonly hooks: readonly HookConfig[];
  readonly access: AccessConfig;
  readonly audit: AuditConfig | undefined;
  readonly log: LogConfig;
  readonly telemetry: { readonly otlp: OtlpConfig | undefined };
  readonly templates: TemplateConfig;
  /** The folder for the state file (lease ids only) and the sweep list: default /var/lib/latchkey, `$STATE_DIRECTORY`. */
  readonly stateDir: string;
  readonly life: LifeConfig;
  /** The config files that this came from, for watching. */
  readonly sources: readonly string[];
  /** What others can change is refused, also what is read again while the agent runs. */
  readonly areModesStrict: boolean;
  /** What is worth knowing, or not as it should be and put up with (`strict_modes: false`), for the log. */
  readonly warnings: readonly string[];
}

/** How the agent itself begins and ends. */
export interface LifeConfig {
  /** Holds the agent's pid while it runs. */
  readonly pidFile: string | undefined;
  /** Ends with 0 once the token is in every sink and every file is written. */
  readonly exitAfterAuth: boolean;
  /** Ends with 1 when a file could not be made for so long; undefined: never. */
  readonly giveUpAfterMs: number | undefined;
  /** The process whose end is the agent's end, with its exit code. */
  readonly mainProcess: string | undefined;
}

export interface SecretConfig {
  readonly name: string;
  readonly upstream: string;
  /** Other names that dialects accept for it. */
  readonly aliases: readonly string[];
  readonly path: string;
  readonly operation: 'read' | 'write';
  readonly parameters: Readonly<Record<string, string>>;
  /** Nothing of the path is a query, whatever it looks like. */
  readonly isPathLiteral?: boolean;
  readonly refreshMs: number;
  /** `refresh` where the config says it: see `EntryPolicy`. */
  readonly statedRefreshMs: number | undefined;
  readonly maxStaleMs: number | undefined;
  readonly onStale: 'expire' | 'keep';
  readonly onRemoved: 'keep' | 'fail';
  readonly onDenied: 'keep' | 'fail';
  readonly overlapMs: number;
  readonly onExit: 'revoke' | 'keep';
  /** Not ready before it is there (default true). */
  readonly isRequired: boolean;
}

export interface CommandConfig {
  /** The program and its arguments; no shell. `{staged}` and `{destination}` stand for the file's paths. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

export type NotifyConfig =
  | ({ readonly kind: 'command' } & CommandConfig)
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals; readonly pidFile: string }
  /** `restart`: it is stopped and started again. */
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals | 'restart'; readonly process: string }
  | {
      readonly kind: 'unit';
      readonly unit: string;
      readonly action:
        | 'reload'
        | 'restart'
        | 'reload-or-restart'
        | 'try-restart'
        | 'try-reload-or-restart'
        | 'kill';
      readonly signal: NodeJS.Signals | undefined;
      readonly timeoutMs: number;
    };

export type SettleConfig =
  | ({ readonly kind: 'command' } & CommandConfig)
  | { readonly kind: 'http'; readonly url: string; readonly timeoutMs: number };

export interface FileConfig {
  /** `files[2]`: where the config says it, for messages. */
  readonly place: string;
  readonly source:
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'inline'; readonly text: string };
  readonly destination: string;
  readonly mode: number;
  readonly owner: string | undefined;
  readonly group: string | undefined;
  readonly set: string | undefined;
  readonly check: CommandConfig | undefined;
  /** In declared order. */
  readonly notify: readonly NotifyConfig[];
  readonly settle: SettleConfig | undefined;
  readonly onFailure: 'keep' | 'rollback';
  /** Quiescence: how long nothing of its secrets must have changed before it is rendered again, and for how long at most. */
  readonly wait: { readonly minMs: number; readonly maxMs: number };
  /** What is done when somebody else deletes or changes the file, its mode or owner. */
  readonly onDrift: 'repair' | 'report';
  /** Where it is staged; undefined: beside the destination. */
  readonly staging: string | undefined;
  readonly createParents: boolean;
  /** Keep the previous file beside it as `.bak`. */
  readonly backup: boolean;
  /** Write into the existing file (a bind mount cannot be renamed over); not atomic, and said so. */
  readonly inPlace: boolean;
  readonly fifo: boolean;
  readonly removeOnExit: boolean;
  readonly errorOnMissingKey: boolean;
  readonly leftDelimiter: string;
  readonly rightDelimiter: string;
  /** The upstream that raw paths in the template mean. */
  readonly upstream: string | undefined;
}

export interface ProcessConfig {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | VariableConfig>>;
  /** Variables from all the fields of secrets. */
  readonly envFrom: readonly EnvFromConfig[];
  /** Names taken over from the agent's own environment, beside PATH, HOME, LANG, LC_*, TZ, TERM. */
  readonly passEnv: readonly string[];
  readonly workingDir: string | undefined;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly onRotation:
    | { readonly kind: 'restart' }
    | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
    | { readonly kind: 'none' };
  /** False: `on_rotation` is its default. */
  readonly isRotationWritten?: boolean;
  /** A restart after a rotation waits a random part of this. */
  readonly splayMs: number;
  readonly stop: {
    readonly signal: NodeJS.Signals;
    readonly timeoutMs: number;
    /** The signal goes to the whole process group, and all of it has the time (default false). */
    readonly isGroup?: boolean;
  };
  readonly restart: {
    readonly onExit: 'always' | 'on-failure' | 'never';
    readonly minBackoffMs: number;
    readonly maxBackoffMs: number;
    /** Given up after this many exits in a row without having run `maxBackoffMs`; 0: never. */
    readonly maxAttempts: number;
  };
  /** Start the new one and probe its health before the old one is stopped. */
  readonly overlapStart: boolean;
  readonly health: SettleConfig | undefined;
  readonly output: 'inherit' | 'log';
  readonly upstream: string | undefined;
  readonly isRequired: boolean;
}

/** The template of one variable. */
export interface VariableConfig {
  readonly template: string;
  readonly leftDelimiter: string;
  readonly rightDelimiter: string;
  readonly errorOnMissingKey: boolean;
}

/** Each field of a secret as a variable. */
export interface EnvFromConfig {
  /** Gives a JSON object: the variables by name. */
  readonly template: string;
  /** What messages call it. */
  readonly name: string;
  /** What makes the names of the variables. */
  readonly prefix: string;
  readonly isUpperCase: boolean;
  /** Each character but letters, digits and underscores becomes an underscore. */
  readonly isSanitized: boolean;
  /** Only these fields, each under the names given here; undefined: all. */
  readonly only: Readonly<Record<string, readonly string[]>> | undefined;
  /** The text of each name, in which `{{ key }}` is the name so far. */
  readonly format: string | undefined;
}

export type Dialect = 'secrets' | 'vault' | 'aws' | 'metrics' | 'admin' | 'systemd' | 'hooks';

/** Secrets of AWS that have no name here. */
export interface AnySecretConfig {
  readonly upstream: string;
  /** 0: nothing is kept. */
  readonly ttlMs: number;
  readonly cacheSize: number;
  readonly servesStale: boolean;
  /** Begins with a slash. */
  readonly pathPrefix: string;
}

interface ListenerCommon {
  /** `listeners[0]` */
  readonly place: string;
  readonly serve: readonly Dialect[];
  readonly maxConnections: number;
  /** Refuse requests without `X-Vault-Request: true` under /v1 (412), as Vault Agent's `require_request_header`. */
  readonly requireRequestHeader: boolean;
  /** `POST /agent/v1/quit` works (else 404). */
  readonly enableQuit: boolean;
  /** Whoever reaches it is served, unknown: as the listeners of Vault Agent. */
  readonly isOpen: boolean;
  /** Undefined: the AWS dialect serves what has a name, and nothing else. */
  readonly anySecret?: AnySecretConfig | undefined;
  /** The Vault dialect adds the agent's token: when the caller brings none, never, or in any case. */
  readonly useAutoAuthToken: 'fallback' | 'never' | 'force';
}

export type ListenerConfig = ListenerCommon &
  (
    | {
        readonly kind: 'unix';
        /** A path, or `@name` for an abstract address. */
        readonly path: string;
        readonly mode: number;
        readonly user: string | undefined;
        readonly group: string | undefined;
      }
    | {
        readonly kind: 'tcp';
        readonly host: string;
        readonly port: number;
        /** Written by the agent; undefined: the listener is open, for hooks alone, or its token is in the environment. */
        readonly tokenFile: string | undefined;
        /** Variables, of which the first that is set has the token or a `file://` URL of it. */
        readonly tokenVariables?: readonly string[] | undefined;
        /** In small letters; undefined: the usual ones. */
        readonly tokenHeaders?: readonly string[] | undefined;
        /** Default: 0600, the agent's own. */
        readonly tokenFileRights?: TokenFileRights | undefined;
        readonly allowRemote: boolean;
        readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
      }
    /** A socket that systemd hands over, by its `FileDescriptorName`. */
    | { readonly kind: 'systemd'; readonly name: string }
  );

export interface TokenFileRights {
  readonly owner: string | undefined;
  readonly group: string | undefined;
  /** Nothing for all others. */
  readonly mode: number;
}

/** Who may say that secrets have changed, and which are asked for then. */
export interface HookConfig {
  readonly name: string;
  readonly proof: HmacProofConfig | JwtProofConfig;
  /** Names from `secrets`; `*` at the end of one stands for any rest. */
  readonly refresh: readonly string[];
  readonly maxBodyBytes: number;
  readonly eventsPerMinute: number;
  /** Of one sender. */
  readonly requestsPerMinute: number;
}

/** Names of headers are in lower case. */
export interface HmacProofConfig {
  readonly kind: 'hmac';
  /** One of the two. */
  readonly secretFile: string | undefined;
  readonly secret: { readonly name: string; readonly field: string | undefined } | undefined;
  readonly keyEncoding: 'text' | 'base64' | 'hex';
  readonly header: string;
  readonly algorithm: 'sha256' | 'sha512';
  /** With `{body}`, and maybe `{timestamp}` and `{id}`. */
  readonly signed: string;
  readonly timestampHeader: string;
  readonly idHeader: string;
  readonly toleranceMs: number;
}

export interface JwtProofConfig {
  readonly kind: 'jwt';
  /** One of the two. */
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  readonly header: string;
  readonly isOnce: boolean;
  readonly toleranceMs: number;
}

export interface AccessConfig {
  /** With no rules root and the agent's own user may do all, and nobody else anything. */
  readonly rules: readonly AccessRuleConfig[];
  /** Root and the agent's own user need a rule too. */
  readonly strict: boolean;
}

/** All that are named must match. */
export interface ClientMatch {
  readonly user?: string;
  readonly uid?: number;
  readonly group?: string;
  readonly gid?: number;
  readonly exe?: string;
  readonly unit?: string;
  readonly container?: string;
  /** A TCP caller that showed the token of this listener (`listeners[1]` or its token file's path). */
  readonly token?: string;
}

export interface AccessRuleConfig {
  readonly name: string;
  readonly client: ClientMatch;
  /** Names from `secrets`; `*` at the end of one stands for any rest. */
  readonly allow: readonly string[];
  readonly vault: readonly { readonly path: string; readonly methods: readonly string[] }[];
  readonly admin: boolean;
}

export interface AuditConfig {
  readonly file: string;
  readonly onFailure: 'deny' | 'continue';
  /** Rotated at this size; 0: only on HUP. */
  readonly maxBytes: number;
  /** How many rotated files stay; 0: all. */
  readonly keepFiles: number;
}

export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'text';
  readonly file: string | undefined;
}

export interface OtlpConfig {
  readonly url: string;
  readonly intervalMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TemplateConfig {
  /** How often a static secret is asked for that templates name by its path. */
  readonly refreshMs: number;
  /** Where relative paths of `file` and `writeToFile` start: where those of the config do. */
  readonly folder: string;
  /** What `env` in templates and the commands see beside the agent's own environment, and before it. */
  readonly env: Readonly<Record<string, string>>;
  /** Commands get the whole environment of the agent, and `env`. */
  readonly passesEnvironment: boolean;
  /** Folders that `file` may read and `writeToFile` may write; empty: those functions are refused. */
  readonly sandboxPaths: readonly string[];
  readonly allowPlugin: boolean;
  readonly deniedFunctions: readonly string[];
  /** Bytes of one rendered template. */
  readonly maxOutputBytes: number;
}
