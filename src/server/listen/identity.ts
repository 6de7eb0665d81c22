// A caller with what the audit file says of it, encoded once.
import type { Caller } from '../../access/caller.ts';
import { type EncodedCaller, encodeCaller } from '../../audit/audit-line.ts';

export interface Identity {
  readonly caller: Caller;
  readonly encoded: EncodedCaller;
}

export function createIdentity(caller: Caller): Identity {
  return { caller, encoded: encodeCaller(auditCaller(caller)) };
}

function auditCaller(caller: Caller) {
  if (caller.kind === 'unknown') return { unknown: caller.why };
  if (caller.kind === 'open') return { unknown: `the listener ${caller.listener} is open` };
  if (caller.kind === 'token') return { token: caller.tokens[0] ?? '' };
  if (caller.kind === 'unit') return { uid: caller.uid, unit: caller.unit };
  const { uid, gid, pid, exe, unit, container } = caller;
  return { uid, gid, pid, exe, unit, container };
}
