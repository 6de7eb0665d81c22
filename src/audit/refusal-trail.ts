// Refusals have a file of their own beside the audit file, with a small quota: those who may have nothing must not push out
// what tells of those who got something. One line a second for each caller, with how often they were refused.

import { basename, dirname, extname, join } from 'node:path';
import { describeError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Clock } from '../base/time/clock.ts';
import { createEarliestTimer } from '../base/time/earliest-timer.ts';
import type { AuditConfig } from '../config/resolved.ts';
import { createAuditChain } from './audit-chain.ts';
import { type AuditEntry, type ChainHead, eventMembers, requestMembers } from './audit-line.ts';

export interface RefusalTrail {
  /** Written at once, or counted; never waited for: a refusal hands nothing out. */
  refused(entry: AuditEntry): void;
  head(): ChainHead;
  reopen(): void;
  close(): void;
}

/** Of the whole trail, the file of refusals beside it included. */
export interface AuditLogOptions {
  settings: AuditConfig;
  clock: Clock;
  logger: Logger;
  counters?: { readonly lines: { inc(by?: number): void }; readonly failures: { inc(by?: number): void } };
}

const periodMs = 1000;
/** Of callers that are counted apart; the rest of a second is one. */
const mostCallers = 256;
const keptFiles = 2;
const mostBytes = 8 * 1024 * 1024;
const leastBytes = 64 * 1024;

/** `audit.jsonl` has its refusals in `audit-denied.jsonl`. */
export function refusalFileOf(path: string): string {
  const end = extname(path);
  return join(dirname(path), `${basename(path, end)}-denied${end}`);
}

/** An eighth of a file of the audit trail, and two rotated ones. */
function quotaOf({ file, maxBytes, onFailure }: AuditConfig): AuditConfig {
  const eighth = maxBytes === 0 ? mostBytes : Math.floor(maxBytes / 8);
  const size = Math.max(leastBytes, Math.min(mostBytes, eighth));
  return { file: refusalFileOf(file), maxBytes: size, keepFiles: keptFiles, onFailure };
}

/** Those of one caller in this period, after the one that was written. */
interface Tally {
  count: number;
  members: string;
}

/** Opens nothing before the first refusal. */
export function createRefusalTrail(options: AuditLogOptions): RefusalTrail {
  const { clock, logger, counters } = options;
  const settings = quotaOf(options.settings);
  const chain = createAuditChain({ settings, clock, logger });
  const tallies = new Map<string, Tally>();
  const timer = createEarliestTimer(clock, tell);
  let isFailing = false;

  function write(lines: readonly string[]): void {
    try {
      chain.write(lines);
      chain.settle();
      counters?.lines.inc(lines.length);
      if (isFailing) logger.info({ file: settings.file }, 'refusals are recorded again');
      isFailing = false;
    } catch (error) {
      counters?.failures.inc(lines.length);
      if (!isFailing) {
        logger.error({ file: settings.file, error: describeError(error) }, 'refusals cannot be recorded');
      }
      isFailing = true;
    }
  }

  function tell(): void {
    const lines: string[] = [];
    for (const [caller, tally] of tallies) {
      if (tally.count === 0) tallies.delete(caller);
      else lines.push(`${tally.members},"count":${tally.count}`);
      tally.count = 0;
    }
    if (lines.length > 0) write(lines);
    if (tallies.size > 0) timer.within(periodMs);
  }

  return {
    refused(entry) {
      const user = userOf(entry);
      const key = tallies.has(user) || tallies.size < mostCallers ? user : '';
      const tally = tallies.get(key);
      if (tally === undefined) {
        tallies.set(key, { count: 0, members: '' });
        timer.within(periodMs);
        write([requestMembers(entry)]);
        return;
      }
      if (tally.count === 0) tally.members = requestMembers(entry);
      tally.count += 1;
    },
    head: () => chain.head(),
    reopen: () => chain.reopen(),
    close() {
      timer.cancel();
      tell();
      timer.cancel();
      if (chain.head().seq > 0) write([eventMembers('stopped', { pid: process.pid })]);
      chain.close();
    },
  };
}

/** The first member of an encoded caller: uid, token, or why nothing is known of them. */
function userOf({ caller, listener }: AuditEntry): string {
  const end = caller.indexOf(',');
  return `${listener} ${end < 0 ? caller : caller.slice(0, end)}`;
}
