// Hot reload as one machine: each part prepares the next config (which may fail and changes nothing), then all commit
// (which cannot fail). A bad config is refused as a whole, with all that is wrong with it.
import { isDeepStrictEqual } from 'node:util';
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { LogSink } from '../base/logger.ts';
import { nothingPrepared, type Prepared } from '../base/prepared.ts';
import { trustFault } from '../config/resolve/check-modes.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { loadKinds } from '../upstream/kinds.ts';
import type { DestinationLocks } from './host/destination-locks.ts';
import type { Core, Serving } from './wire.ts';

export interface ReloadSummary {
  /** The sections that differ; empty: nothing was done. */
  readonly changed: readonly string[];
}

interface ReloadOptions {
  before: ResolvedConfig;
  next: ResolvedConfig;
  core: Core;
  serving: Serving | undefined;
  log: LogSink;
  locks: DestinationLocks;
}

type Section = keyof ResolvedConfig;
type Has = (...sections: Section[]) => boolean;

type Prepare = (has: Has) => Prepared<unknown> | Promise<Prepared<unknown>>;

/** A section of the config that no part reads would be reloaded by nobody: the compiler asks for each. */
const isShown: Readonly<Record<Section, boolean>> = {
  upstreams: true,
  secrets: true,
  files: true,
  processes: true,
  listeners: true,
  // Asked again with each message.
  hooks: true,
  access: true,
  audit: true,
  log: true,
  telemetry: true,
  templates: true,
  stateDir: true,
  life: true,
  sources: false,
  // Asked again with each template that changes.
  areModesStrict: false,
  warnings: false,
};

/** Rejects with all problems, and nothing has changed then. */
export async function reloadParts(options: ReloadOptions): Promise<ReloadSummary> {
  const { before, next } = options;
  const changed = (Object.keys(isShown) as Section[]).filter(
    (section) => isShown[section] && !isDeepStrictEqual(before[section], next[section]),
  );
  const has: Has = (...wanted) => wanted.some((section) => changed.includes(section));
  const { parts, hasOtherTemplate } = partsOf(options);
  const prepared: Prepared<unknown>[] = [];
  const failures: unknown[] = [];
  for (const prepare of parts) {
    try {
      prepared.push(await prepare(has));
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) {
    for (const one of prepared) await one.abandon();
    if (failures.length === 1) throw failures[0];
    throw new LatchkeyError('config_invalid', failures.map(describeError).join('\n'));
  }
  for (const one of prepared) await one.commit();
  return { changed: changed.includes('files') || !hasOtherTemplate() ? changed : [...changed, 'files'] };
}

/** In the order in which they commit: what names and paths mean, before what uses them. */
function partsOf({ before, next, core, serving, log, locks }: ReloadOptions): {
  parts: readonly Prepare[];
  /** Once all have committed: a file whose template has another text. */
  hasOtherTemplate(): boolean;
} {
  let isTemplateOther = false;
  const compiler = core.rules.compilerOf(next);
  const namesAreOther: Section[] = ['secrets', 'upstreams'];
  const parts: Prepare[] = [
    () => mustStay(before, next),
    () => locks.prepare(next.files.map(({ destination }) => destination)),
    () => log.prepare(next.log),
    () => serving?.audit.prepare(next.audit) ?? nothingPrepared,
    // Also when the rules are the same: users and groups that they name may be others by now.
    () => committing(() => serving?.access.replace(next.access)),
    () => committing(() => core.rules.setResolver(next)),
    (has) => committing(() => has('templates') && core.rules.setCompiler(compiler)),
    async (has) => {
      const compile = has('templates') ? compiler.compile : undefined;
      const prepared = await core.files.prepare(next.files, {
        ...{ force: has(...namesAreOther), compile },
        faultOf: next.areModesStrict ? trustFault : undefined,
      });
      const commit = async () => {
        isTemplateOther = (await prepared.commit()).changed.length > 0;
      };
      return { ...prepared, commit };
    },
    (has) => (has('upstreams') ? prepareUpstreams(next, core) : nothingPrepared),
    () => committing(() => core.names.reconcile(next.secrets)),
    (has) =>
      has('processes', 'templates', ...namesAreOther)
        ? core.supervisor.prepare(next.processes, {
            force: has('templates', ...namesAreOther),
            environmentOf: core.environmentsBy(compiler),
          })
        : nothingPrepared,
    // Last: a new socket answers from here on, and what it is asked for is about to be there.
    (has) => (has('listeners') ? serving?.server.prepare(next.listeners) : undefined) ?? nothingPrepared,
  ];
  return { parts, hasOtherTemplate: () => isTemplateOther };
}

async function prepareUpstreams({ upstreams }: ResolvedConfig, core: Core): Promise<Prepared> {
  await loadKinds(upstreams);
  return core.upstreams.prepare(upstreams, () => core.engine.setUpstreams(core.upstreams.byName()));
}

function committing(commit: () => unknown): Prepared {
  return { commit: () => void commit(), abandon() {} };
}

function mustStay(before: ResolvedConfig, next: ResolvedConfig): Prepared {
  if (!isDeepStrictEqual(before.life, next.life)) {
    throw new LatchkeyError('config_invalid', 'agent: cannot change while the agent runs', {
      remedy: 'put it back, or start the agent again',
    });
  }
  if (before.stateDir === next.stateDir) return nothingPrepared;
  throw new LatchkeyError(
    'config_invalid',
    `state_dir: cannot change from ${before.stateDir} to ${next.stateDir} while the agent runs: its leases are recorded there`,
    { remedy: 'put it back, or start the agent again' },
  );
}
