// The states of an upstream, whatever its kind.

/** Each is explained in docs/reference/upstream-states.md. */
export type SourceStateName =
  | 'starting'
  | 'logging_in'
  | 'ready'
  | 'login_failed'
  | 'denied'
  | 'sealed'
  | 'uninitialized'
  | 'standby'
  | 'rate_limited'
  | 'unavailable'
  | 'tls_failed'
  | 'dns_failed'
  | 'answer_invalid'
  | 'closed';
