// What the listeners need of the agent. They know names, entries and versions; how those come about is not theirs.
import type { DrillAnswer, DrillKind, Explanation, RefreshOutcome, RotateAnswer } from '../api/admin.ts';
import type { AgentStatus, LogStatus } from '../api/status.ts';
import type { StepEvent, TimelineAnswer } from '../api/timeline.ts';
import type { AwsSecretQuery } from '../base/aws-secret-query.ts';
import type { ForwardedAnswer, ForwardedRequest } from '../base/forwarded.ts';
import type { LogLevel } from '../base/logger.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { FaultOf } from '../base/surroundings.ts';
import type { JsonObject } from '../base/text/json.ts';
import type { HookConfig } from '../config/resolved.ts';
import type { Entry } from '../store/entry.ts';
import type { HeldLease, Loan } from '../store/loan.ts';
import type { Reference } from '../store/reference.ts';
import type { Store } from '../store/store.ts';

/** The config's `secrets` by name; follows reloads. */
interface SecretNames {
  find(name: string): { readonly entry: Entry } | undefined;
  all(): readonly { readonly config: { readonly name: string }; readonly entry: Entry }[];
  /** The name that an alias stands for; any other text is given back. */
  nameOf(alias: string): string;
  /** The names that stand for the entry with this key. */
  namesOf(key: string): readonly string[];
  /** Another number after each reload: what a text stood for before may be another secret now. */
  readonly revision: number;
}

interface Readiness {
  readonly isReady: boolean;
  /** What is not in place, one clause each: `secret stripe: pending`. */
  readonly missing: readonly string[];
}

/** The Vault upstream behind the Vault dialect, and the lease engine that owns what is kept of it. */
export interface VaultAccess {
  /** Undefined: the config has none. `source` is another where a reload has replaced it under its name. */
  upstream():
    | { readonly name: string; readonly namespace: string | undefined; readonly source: unknown }
    | undefined;
  /** Equal for references that mean the same secret; may change with the first read of a mount. */
  canonicalKey(reference: Reference): string;
  /** Asks upstream for these entries now; with `replace` for new credentials. Gives the errors by key. */
  refresh(
    keys: readonly string[],
    options: { readonly signal: AbortSignal; readonly replace?: boolean },
  ): Promise<ReadonlyMap<string, unknown>>;
  /** Upstream has revoked these leases as a caller asked: no longer handed out, and others may be made at once. */
  leasesRevoked(leaseIds: readonly string[]): void;
  /** Of the agent's own token; undefined where it is not known. */
  ownAccessor(): string | undefined;
  /** The agent's own token and those before it: no answer may hold one of them. */
  ownTokens(): readonly SecretValue[];
  /** The lease engine keeps what a caller got: renews it while it is wanted, and revokes at exit what the agent's token got. */
  hold(loan: Loan): HeldLease;
}

export interface AgentView {
  readonly store: Store;
  readonly names: SecretNames;
  status(): AgentStatus;
  readiness(): Readiness;
  /** Asks upstream now; without names for every secret. A name that does not exist gives `failed`. */
  refresh(names: readonly string[] | undefined, signal: AbortSignal): Promise<readonly RefreshOutcome[]>;
  /** The config's `hooks`; follows reloads. */
  hooks(): readonly HookConfig[];
  /** Why others can change what is about to be read again; absent: nobody asks. */
  readonly faultOf?: FaultOf;
  /** A message says so: upstream is asked now for those of these secrets that it stores. Nothing is renewed or made. */
  mayHaveChanged(names: readonly string[]): void;
  /** Reads the configuration again; rejects and keeps the old one when it is not valid. Tells what changed. */
  reload(): Promise<{ readonly changed: readonly string[] }>;
  /** What a secret, a file or a process waits for and why; undefined when nothing has this name or path. */
  explain(subject: string): Explanation | undefined;
  /** The name that is nearest to one that nothing has. */
  nearestSubject(subject: string): string | undefined;
  /** Rehearses a rotation, an outage or a revocation of one secret; rejects with `not_found`. */
  drill(name: string, request: { kind: DrillKind; notify: boolean }): Promise<DrillAnswer>;
  /** What the last rotations of a secret did, or of all; throws `not_found`. */
  timeline(name: string | undefined, last: number): TimelineAnswer;
  /** The key of the secret that a word means: its name, alias or path; throws `not_found`. */
  keyOf(word: string): string;
  /** Told of each step of a rotation. */
  onStep(listener: (step: StepEvent) => void): () => void;
  /** Told when something of `status` may be another. */
  onChange(listener: () => void): () => void;
  /** Makes another credential now; rejects with `not_found`. */
  rotate(name: string, request: { revokeNow: boolean; signal: AbortSignal }): Promise<RotateAnswer>;
  /** Of the log, from now on; without a level what the config says. */
  setLogLevel(level: LogLevel | undefined, forMs: number | undefined): LogStatus;
  /** What was issued and lives on to its own end, whatever is revoked, and why. */
  livesOn(): { readonly name: string; readonly why: string }[];
  /** Begins the agent's orderly end. */
  quit(options?: { revoke: boolean }): void;
  /** GetSecretValue of AWS, by any id; rejects `internal` where there is no such upstream. */
  awsSecret(upstream: string, query: AwsSecretQuery, signal: AbortSignal): Promise<JsonObject>;
  /** Passes a request of the Vault dialect on to the upstream that serves it. */
  forward(request: ForwardedRequest): Promise<ForwardedAnswer>;
  readonly vault: VaultAccess;
}
