// What Vault's own client reads of the environment beside address and TLS: followed, or told where it has no counterpart. What it
// calls wrong is wrong here too.

import { goBoolean } from '../../base/text/go-boolean.ts';
import type { Path } from '../problems.ts';
import type { Draft } from './draft.ts';
import { formatMs, parseSeconds } from './hcl/duration.ts';
import { type Origin, type Report, wholeFile } from './hcl/report.ts';

export interface ClientVariables {
  readonly draft: Draft;
  readonly report: Report;
  /** Of the upstream. */
  readonly path: Path;
  /** By its name with `VAULT_`; empty counts as not set. */
  variable(name: string): string | undefined;
}

const defaultTimeoutMs = 60_000;

export function variableOrigin(name: string): Origin {
  return wholeFile(`$${name}`);
}

/** Undefined where it is empty. A problem where it is neither true nor false. */
function flagOf(name: string, { report, variable }: ClientVariables): boolean | undefined {
  const text = variable(name);
  if (text === undefined || text === '') return undefined;
  const flag = goBoolean(text);
  if (flag === undefined) report.problem(variableOrigin(name), 'expected true or false');
  return flag;
}

export function draftClientVariables(variables: ClientVariables): void {
  const { draft, report, path, variable } = variables;
  const note = (name: string, message: string) => report.note('differs', variableOrigin(name), message);
  draftTimeout(variables);
  draftRate(variables);
  const retries = variable('VAULT_MAX_RETRIES');
  if (retries) {
    if (/^\d+$/.test(retries))
      note('VAULT_MAX_RETRIES', 'is ignored: a server that is away is asked for as long as it takes');
    else report.problem(variableOrigin('VAULT_MAX_RETRIES'), 'expected a whole number, 0 or more');
  }
  if (flagOf('VAULT_SRV_LOOKUP', variables) === true)
    note('VAULT_SRV_LOOKUP', 'is ignored: no SRV record is asked for; name host and port as the address');
  flagOf('VAULT_DISABLE_REDIRECTS', variables);
  const authority = variable('VAULT_CACERT_BYTES');
  if (authority && !variable('VAULT_CACERT')) draft.keepAuthority(authority);
  for (const [name, file] of [
    ['VAULT_CLIENT_CERT_BYTES', 'VAULT_CLIENT_CERT'],
    ['VAULT_CLIENT_KEY_BYTES', 'VAULT_CLIENT_KEY'],
  ] as const) {
    if (variable(name))
      report.problem(variableOrigin(name), `is not read; put it into a file and name that in ${file}`);
  }
  if (flagOf('VAULT_SKIP_VERIFY', variables) === true)
    draft.set([...path, 'tls', 'skip_verify'], true, variableOrigin('VAULT_SKIP_VERIFY'));
}

/** 0 and nothing leave it at their default, which is ours. */
function draftTimeout({ draft, report, path, variable }: ClientVariables): void {
  const text = variable('VAULT_CLIENT_TIMEOUT');
  if (text === undefined) return;
  const ms = parseSeconds(text);
  const origin = variableOrigin('VAULT_CLIENT_TIMEOUT');
  if (ms === undefined || ms < 0)
    report.problem(origin, 'expected a number of seconds or a duration such as "30s"');
  else draft.set([...path, 'timeout'], formatMs(Math.max(1, ms || defaultTimeoutMs)), origin);
}

/** `RATE` or `RATE:BURST`, a second. */
function draftRate({ draft, report, path, variable }: ClientVariables): void {
  const text = variable('VAULT_RATE_LIMIT');
  if (!text) return;
  const origin = variableOrigin('VAULT_RATE_LIMIT');
  const rate = Number(/^(\d+(?:\.\d*)?|\.\d+)(?::[+-]?\d+)?$/.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(rate)) report.problem(origin, 'expected requests a second such as "50", or "50:100"');
  else if (rate > 0)
    draft.set([...path, 'budget', 'requests_per_second'], Math.max(1, Math.floor(rate)), origin);
}
