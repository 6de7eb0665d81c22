// What is wrong with the agent's own places on this host, in a clause each, with what it leads to.
import type { TroubleStatus } from '../../api/status.ts';

interface Places {
  readonly kept: { trouble(): string | undefined };
  readonly core: { stateFailure(): string | undefined };
  readonly log: { trouble(): string | undefined };
}

export function troublesOf({ kept, core, log }: Places): TroubleStatus[] {
  const failure = core.stateFailure();
  const file =
    failure &&
    `the state file cannot be written (${failure}); leases would be left to their end after a crash`;
  const told = { 'state folder': kept.trouble() ?? file, log: log.trouble() };
  return Object.entries(told).flatMap(([subject, message]) =>
    message === undefined ? [] : [{ subject, message }],
  );
}
