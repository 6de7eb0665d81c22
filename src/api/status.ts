// What `GET /status` answers: the whole agent, without a value of any secret. Keys in snake_case, times as RFC 3339.
import type { SecretState } from './secrets.ts';

/** Counts up when an answer changes in a way that a client of before would misread. */
export const apiVersion = 1;

export interface AgentStatus {
  readonly api_version: number;
  /** Of the program. */
  readonly version: string;
  readonly pid: number;
  readonly started_at: string;
  readonly config: ConfigStatus;
  readonly ready: boolean;
  /** What is not in place, one clause each; empty when ready. */
  readonly waiting_for: readonly string[];
  /** The same in parts: what waits for another of the list names it. */
  readonly waits: readonly WaitStatus[];
  /** What is wrong although all is in place, in a few words each: `vault sealed`, `4 secrets stale`. */
  readonly degraded: readonly string[];
  /** What this host keeps from the agent, though nothing waits for it. */
  readonly troubles: readonly TroubleStatus[];
  readonly upstreams: readonly UpstreamStatus[];
  readonly secrets: readonly SecretStatus[];
  readonly files: readonly FileStatus[];
  readonly processes: readonly ProcessStatus[];
  readonly listeners: readonly ListenerStatus[];
  readonly leases: readonly LeaseStatus[];
  readonly audit: AuditStatus;
  readonly log: LogStatus;
}

export interface LogStatus {
  /** What is logged at least. */
  readonly level: string;
  /** What the config says, and counts again from the next reload on. */
  readonly config_level: string;
  /** When the config's level counts again by itself; null: at the next reload, or it does. */
  readonly until: string | null;
}

export interface TroubleStatus {
  /** `state folder`, `log` */
  readonly subject: string;
  /** With what it leads to, or what to do. */
  readonly message: string;
}

export interface WaitStatus {
  /** `upstream vault`, `secret stripe`, `file /etc/app.conf`, `process legacy`, `audit` */
  readonly subject: string;
  readonly message: string;
  /** The subject that it waits for; `null`: it is a cause itself. */
  readonly cause: string | null;
}

export interface ConfigStatus {
  readonly sources: readonly string[];
  readonly loaded_at: string;
  /** Why the config as it is on disk is not the one in force. */
  readonly reload_error: string | null;
}

export interface UpstreamStatus {
  readonly name: string;
  readonly kind: string;
  readonly address: string;
  readonly state: string;
  readonly since: string;
  readonly message?: string | undefined;
  /** Absent: it wants none. */
  readonly login?:
    | {
        readonly state: string;
        readonly method?: string | undefined;
        readonly accessor?: string | undefined;
        readonly expires_at?: string | null;
        /** The next start cannot log in: what it was done with is used up, and the login cannot be handed on. */
        readonly lost_at_stop?: boolean;
      }
    | undefined;
  /** Files that hold a copy of its login for other programs; absent: none. `error`: why the login of now is not there. */
  readonly sinks?: readonly {
    readonly path: string;
    readonly written_at: string | null;
    readonly error: string | null;
  }[];
  /** The server's clock is so far ahead of this host's; absent: no difference that matters. */
  readonly clock_skew_seconds?: number;
  /** Absent: asking it costs nobody anything. */
  readonly budget?: { readonly in_flight: number; readonly queued: number };
  /** What asking it comes to; absent: asking it costs nobody anything. */
  readonly calls?: {
    readonly last_hour: number;
    readonly last_day: number;
    /** What its secrets ask in a day by their `refresh`, or as much of it as the limits allow; batches make it less. */
    readonly a_day: number;
    /** What that costs in US dollars, about; null: nothing. */
    readonly dollars_a_day: number | null;
    readonly limits: readonly LimitStatus[];
    /** What its secrets ask is more than a limit allows: each is asked for about every so many seconds instead. */
    readonly slowed_to_seconds: number | null;
  };
}

export interface LastValueStatus {
  /** When it is handed out no more; null: never, or it is so already (state `expired`). */
  readonly until: string | null;
  /** The key of the secret that decides it; `end`: the credential itself ends. */
  readonly by: 'max_stale' | 'on_stale' | 'on_removed' | 'on_denied' | 'end';
  /** `on_removed: keep, for max_stale: 24h (the default) from when upstream confirmed it last`. */
  readonly why: string;
  /** What happens then. */
  readonly then: string;
}

/** One of the limits of an upstream, and what of it is used. */
export interface LimitStatus {
  /** `1000 reads an hour`. */
  readonly limit: string;
  /** In the time before now, as a share of the limit. */
  readonly share: number;
  readonly used: number;
  readonly from: 'service' | 'config';
}

export interface SecretStatus {
  /** The config's names for it; empty for a path that only a template asks for. */
  readonly names: readonly string[];
  readonly key: string;
  readonly upstream: string;
  readonly path: string;
  readonly state: SecretState;
  readonly version: number | null;
  readonly obtained_at: string | null;
  readonly expires_at: string | null;
  readonly age_seconds: number | null;
  /** When upstream was last asked and said that this is what it has. */
  readonly confirmed_at: string | null;
  /** Of a value that upstream does not confirm; null: it does, or there never was one. */
  readonly last_value: LastValueStatus | null;
  /** How often it is asked for in a day by its `refresh`; null: its end says when, or it is not asked for. */
  readonly calls_a_day: number | null;
  readonly next: { readonly action: string; readonly at: string | null; readonly why: string } | null;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly since: string | null;
    readonly count: number;
  } | null;
  /** How many consumers hold which version. */
  readonly consumers: readonly { readonly consumer: string; readonly version: number }[];
}

export interface FileStatus {
  readonly destination: string;
  /** The files that are committed together with it; `null`: it is alone. */
  readonly set: string | null;
  readonly state: string;
  /** When this agent last put other bytes there. */
  readonly committed_at: string | null;
  readonly ready: boolean;
  readonly missing: readonly {
    readonly key: string;
    readonly name: string;
    readonly reason: string;
    readonly message?: string | undefined;
  }[];
  readonly failure?: { readonly step: string; readonly message: string } | undefined;
  /** A later text of the template that could not be parsed: the one before goes on. */
  readonly template_problem: string | null;
  /** One clause: the failure, what it waits for, or its state. */
  readonly says: string;
  readonly retry_at?: string | null;
  /** What somebody else did to it last: `deleted`, `content`, `mode`, `owner`; how often in a row; whether it is still so. */
  readonly drift?:
    | {
        readonly what: string;
        readonly at: string | null;
        readonly count: number;
        readonly open: boolean;
      }
    | undefined;
}

export interface ProcessStatus {
  readonly name: string;
  readonly state: string;
  readonly since: string | null;
  readonly ready: boolean;
  readonly pid?: number;
  readonly restarts: number;
  readonly message?: string;
  readonly last_exit?: { readonly code: number | null; readonly signal: string | null };
}

export interface ListenerStatus {
  readonly place: string;
  /** `unix /run/latchkey/latchkey.sock`, `tcp 127.0.0.1:8100`. */
  readonly address: string;
  readonly serve: readonly string[];
  readonly state: 'listening' | 'failed';
  readonly connections: number;
  readonly error?: string;
}

export interface LeaseStatus {
  readonly key: string;
  readonly state: string;
  readonly expires_at: string | null;
}

export interface AuditStatus {
  readonly file: string | null;
  readonly state: 'off' | 'writing' | 'failing';
  readonly on_failure: 'deny' | 'continue' | null;
  /** Number and hash of the last line: `latchkey audit verify` compares them with the file's end. */
  readonly seq: number;
  readonly hash: string | null;
  readonly error: string | null;
  /** Lines not written since the start. */
  readonly lost: number;
  /** The same of the file that has the refusals. */
  readonly denied: { readonly file: string | null; readonly seq: number; readonly hash: string | null };
}
