// What `/timeline` and `/changes` answer: what each rotation did, and when. No values.

/** `GET /timeline/NAME`, with `?last=` as many as that; `GET /timeline`: of all secrets. */
export interface TimelineAnswer {
  /** `null`: of all. */
  readonly name: string | null;
  /** Nothing is known of what was before: the start of the agent. */
  readonly since: string;
  readonly current_version: number | null;
  /** Newest first. */
  readonly rotations: readonly RotationStory[];
}

export interface RotationStory {
  /** The config's name of the secret; its key where it has none. */
  readonly name: string;
  readonly from_version: number | null;
  /** `null`: upstream gave nothing new. */
  readonly to_version: number | null;
  /** Why upstream was asked: `poll`, `push`, `hook`, `lease`, `asked`, `retry`, `together`, `start`. */
  readonly by: string;
  /** By upstream's own clock; `null`: it does not tell. */
  readonly changed_upstream_at: string | null;
  /** When the agent had a reason to ask. */
  readonly began_at: string;
  /** `running`; `done`: everything that had the old version has the new one; `failing`: a step failed last; `overtaken`: the next began before the end; `nothing`: nothing new came. */
  readonly state: 'running' | 'done' | 'failing' | 'overtaken' | 'nothing';
  /** From `began_at` until files, programs and processes had it, as far as they do. */
  readonly milliseconds: number;
  /** Who still holds an older version; of the newest rotation alone, some of them. */
  readonly held_by: readonly string[];
  readonly steps: readonly TimelineStep[];
  /** Steps that were too many to be kept. */
  readonly omitted: number;
}

export interface TimelineStep {
  /**
   * `noticed`, `fetched`, `rendered`, `unchanged`, `checked`, `committed`, `notified`, `settled`, `rolled_back`, `moved`, `read`,
   * `let_go`, `revoked`.
   */
  readonly step: string;
  readonly at: string;
  /** From `began_at` to its end, and of that its own part. */
  readonly offset_ms: number;
  readonly took_ms: number;
  /** `file:/etc/app.conf`, `set:app-tls`, `process:legacy`, `caller:uid 33, pid 41`; `null`: the secret itself. */
  readonly subject: string | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
  /** How often it failed so in a row. */
  readonly count: number;
}

/** `data` of an event `step` of `GET /changes`. */
export interface StepEvent extends TimelineStep {
  readonly name: string;
  readonly to_version: number | null;
}
