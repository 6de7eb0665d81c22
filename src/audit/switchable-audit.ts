// The audit log of the settings in force: a reload puts another one in its place, and whoever records goes on recording.
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LatchkeyError } from '../base/errors.ts';
import type { Prepared } from '../base/prepared.ts';
import { errnoOf } from '../base/system/errno.ts';
import type { AuditConfig } from '../config/resolved.ts';
import { type AuditLog, createSilentAudit } from './audit-log.ts';

export interface SwitchableAudit extends AuditLog {
  /** Throws `audit_failed` when the file could not be written. Undefined: nothing is recorded any more. */
  prepare(settings: AuditConfig | undefined): Prepared;
}

export function createSwitchableAudit(
  first: AuditConfig | undefined,
  create: (settings: AuditConfig) => AuditLog,
): SwitchableAudit {
  const open = (settings: AuditConfig | undefined): AuditLog =>
    settings === undefined ? createSilentAudit() : create(settings);
  let settings = first;
  let current = open(first);
  return {
    append: (entry, recipient) => current.append(entry, recipient),
    reopen: () => current.reopen(),
    status: () => current.status(),
    close: () => current.close(),
    prepare(next) {
      const isSame = isDeepStrictEqual(settings, next);
      if (!isSame && next !== undefined) mustBeWritable(next.file);
      return {
        commit() {
          if (isSame) return;
          // The old one first: where both write one file, the new one goes on from its last line.
          current.close();
          settings = next;
          current = open(next);
        },
        abandon() {},
      };
    },
  };
}

function mustBeWritable(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
  } catch (cause) {
    throw new LatchkeyError('audit_failed', `audit.file: ${file} cannot be written (${errnoOf(cause)})`, {
      cause,
      remedy: 'make its folder, let this user write there, or name another file',
    });
  }
}
