// Several files of consul-template make one: what is said later counts, key by key; templates add up.
import { lastOf } from '../hcl/block.ts';
import type { SaidCommon } from './read-common.ts';
import type { SaidConsulTemplate } from './read-consul-template.ts';

export function mergeConsulTemplates(all: readonly SaidConsulTemplate[]): SaidConsulTemplate {
  const last = lastOf(all);
  return {
    ...mergeCommon(all),
    templates: all.flatMap(({ templates }) => templates),
    leftDelimiter: last('leftDelimiter'),
    rightDelimiter: last('rightDelimiter'),
    logFile: last('logFile'),
  };
}

export function mergeCommon(all: readonly SaidCommon[]): SaidCommon {
  const last = lastOf(all);
  return {
    vault: mergeBlocks(all.map(({ vault }) => vault)),
    exec: mergeBlocks(all.map(({ exec }) => exec)),
    killSignal: last('killSignal'),
    reloadSignal: last('reloadSignal'),
    logLevel: last('logLevel'),
    pidFile: last('pidFile'),
    syslog: last('syslog'),
    wait: last('wait'),
    consul: mergeBlocks(all.map(({ consul }) => consul)),
  };
}

/** Later keys over earlier ones, in blocks within them too. */
function mergeBlocks<T extends object>(blocks: readonly (T | undefined)[]): T | undefined {
  const there = blocks.filter((block) => block !== undefined);
  const [first, ...others] = there;
  if (first === undefined) return undefined;
  return others.reduce((merged, block) => mergeTwo(merged, block), first);
}

function mergeTwo<T extends object>(before: T, after: T): T {
  const defined = Object.entries(after).filter(([, value]) => value !== undefined);
  const merged = Object.fromEntries(
    defined.map(([key, value]) => {
      const old: unknown = Reflect.get(before, key);
      return [key, isBlock(old) && isBlock(value) ? mergeTwo(old, value) : value];
    }),
  );
  return { ...before, ...merged };
}

/** What has keys of its own, and is no value with its place. */
function isBlock(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'origin' in value && !('value' in value);
}
