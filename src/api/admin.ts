// What the paths for administrators take and answer, beside `/status`.
import type { ToldError } from '../base/errors.ts';
import type { ListenerStatus, ProcessStatus, SecretStatus, UpstreamStatus } from './status.ts';

/** `POST /refresh`. Without names: every secret of the config. */
export interface RefreshRequest {
  readonly names?: readonly string[];
}

export interface RefreshOutcome {
  readonly name: string;
  readonly outcome: 'changed' | 'same' | 'failed';
  readonly error?: ToldError;
  /** What it did beside that: of what upstream issues nothing new is made. */
  readonly note?: string;
}

/** `POST /rotate/NAME`. */
export interface RotateRequest {
  /** It leaked: the old one is revoked as soon as its users have moved, after 10 s in any case (default false). */
  readonly revoke_now?: boolean;
}

export interface RotateAnswer {
  readonly name: string;
  /** `not_issued`: upstream only stores it, so that it was read again and nothing was made. */
  readonly outcome: 'rotated' | 'not_issued' | 'failed';
  readonly changed: boolean;
  /** What becomes of the one before: `lives` to its own end, because it has no lease or was not revoked. */
  readonly old: 'none' | 'retires' | 'revoked' | 'lives';
  /** Why it lives though it was to go, or how another value comes of what upstream only stores. */
  readonly note?: string;
  readonly version: number | null;
  /** Until files were committed and programs told. */
  readonly milliseconds: number;
  /** Of the files that use it, those that are not current now. */
  readonly behind: readonly string[];
  readonly error?: ToldError;
}

/** `POST /log-level/LEVEL`: `debug`, `info`, `warn`, `error`, or `config` for what the config says. */
export interface LogLevelRequest {
  /** Then the config's level counts again; absent: at the next reload. */
  readonly for_seconds?: number;
}

/** `POST /stop`. */
export interface StopRequest {
  /** Everything that was issued is revoked; else the next start goes on with it (default false). */
  readonly revoke?: boolean;
}

export interface StopAnswer {
  readonly status: 'stopping';
  readonly pid: number;
  /** With `revoke`: what lives on to its own end all the same, because nothing takes it back. */
  readonly lives_on: readonly { readonly name: string; readonly why: string }[];
}

export interface RefreshAnswer {
  readonly results: readonly RefreshOutcome[];
}

/** `POST /reload`. */
export interface ReloadAnswer {
  readonly status: 'reloaded';
  /** The sections that differ; empty: nothing was to be done. */
  readonly changed: readonly string[];
}

export type DrillKind = 'rotation' | 'outage' | 'revocation';

/** `POST /drill/NAME`. */
export interface DrillRequest {
  readonly kind?: DrillKind;
  /** Programs are told as after a rotation (default false). */
  readonly notify?: boolean;
}

export interface DrilledConsumer {
  /** `file:/etc/app.conf`, `process:analytics`, `caller:uid 1000, pid 41@8812`. */
  readonly consumer: string;
  readonly outcome: 'recovers' | 'restarts' | 'unknown' | 'keeps' | 'fails';
  /** One sentence. */
  readonly note: string;
  readonly steps: readonly object[];
}

export interface DrillAnswer {
  readonly name: string;
  readonly kind: DrillKind;
  readonly consumers: readonly DrilledConsumer[];
}

export interface Holder {
  /** `caller:…`, `file:…` or `process:…`. */
  readonly consumer: string;
  readonly version: number;
  readonly is_current: boolean;
  readonly pid?: number;
  readonly uid?: number;
  readonly exe?: string;
  readonly unit?: string;
  /** When it got this version, and when it asked last. */
  readonly since?: string;
  readonly last_at?: string;
  readonly deliveries?: number;
}

/** `GET /who-has/NAME`, `GET /who-has/NAME@VERSION`. */
export interface WhoHasAnswer {
  readonly name: string;
  readonly current_version: number | null;
  readonly holders: readonly Holder[];
}

/** `GET /explain?subject=…`. */
export interface Explanation {
  /** Those whose messages make upstream be asked for the secrets. */
  readonly hooks: readonly string[];
  /** The one that is meant, or those of the secrets. */
  readonly upstreams: readonly UpstreamStatus[];
  readonly secrets: readonly SecretStatus[];
  readonly files: readonly ExplainedFile[];
  readonly processes: readonly ProcessStatus[];
  /** By address (`unix /run/x.sock`, or without its first word) or place in the config. */
  readonly listeners: readonly ListenerStatus[];
  /** Hooks by name; token files of listeners and sinks of upstreams by path. */
  readonly places: readonly ExplainedPlace[];
  /** Of a process: the secrets whose versions it holds. */
  readonly uses: readonly string[];
  /** Of an upstream: the secrets that are read there, by name or path, and how many there are. */
  readonly used_by: { readonly names: readonly string[]; readonly count: number } | null;
}

export interface ExplainedPlace {
  readonly kind: 'hook' | 'token_file' | 'sink';
  readonly name: string;
  /** Sentences: what it is for, how it stands, what is next, the remedy of its trouble. */
  readonly says: readonly string[];
}

export interface ExplainedFile {
  readonly destination: string;
  readonly state: string;
  readonly since: string | null;
  /** Sentences, the most important first. */
  readonly why: readonly string[];
  readonly notifications: readonly string[];
  /** The last steps of its transactions, oldest first: `10:02:11.120Z commit`. */
  readonly trace: readonly string[];
  readonly secrets: readonly {
    readonly key: string;
    readonly name: string;
    readonly state: string;
    readonly usedVersion: number | undefined;
    readonly currentVersion: number | undefined;
  }[];
  /** Hints that are no fault. */
  readonly notes: readonly string[];
}

/** `POST /access/test`: who would ask (one at least of the first lines), and for what. */
export interface AccessTestRequest {
  readonly user?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Names or ids, beside those of the user's account. */
  readonly groups?: readonly (string | number)[];
  readonly exe?: string;
  readonly unit?: string;
  readonly container?: string;
  readonly token?: string;
  readonly name?: string;
  readonly path?: string;
  readonly method?: string;
  readonly admin?: boolean;
}

export interface AccessTestAnswer {
  readonly decision: { readonly isAllowed: boolean; readonly reason: string };
  readonly rules: readonly { readonly rule: string; readonly why: string }[];
}
