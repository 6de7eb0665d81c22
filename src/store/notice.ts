// Why an upstream was asked for a secret, and since when: what a rotation begins with.

/**
 * `start`: nothing was there yet. `poll`: its time had come. `lease`: what it had was about to end, or was lost. `retry`: the
 * try before had failed. `push`: upstream told of a change. `hook`: somebody else did. `together`: it may change with another
 * that did. `asked`: a person or a program wanted it.
 */
export type NoticedBy = 'start' | 'poll' | 'lease' | 'retry' | 'push' | 'hook' | 'together' | 'asked';

export interface Notice {
  readonly by: NoticedBy;
  /** Monotonic milliseconds. */
  readonly at: number;
}
