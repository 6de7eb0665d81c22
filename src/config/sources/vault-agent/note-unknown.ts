// Vault Agent ignores most keys that it does not know, without a word. Here that is told, with the likely name.
import { nearest } from '../../../base/text/nearest.ts';
import type { Block } from '../hcl/block.ts';
import type { Report } from '../hcl/report.ts';

/** `inner` are keys that belong into the block `where` in this one. */
export function noteUnknownKeys(
  block: Block,
  report: Report,
  inner: readonly string[] = [],
  where = '',
): void {
  for (const { value: name, origin } of block.unknown()) {
    report.note('ignored', origin, describeUnknown(name, [...block.known], inner, where));
  }
}

function describeUnknown(
  name: string,
  known: readonly string[],
  inner: readonly string[],
  where: string,
): string {
  if (inner.includes(name))
    return `is ignored here: it belongs into ${where}, so that nothing comes of this one`;
  const guess = nearest(name, known);
  return guess === undefined
    ? 'is no key of this block: it is ignored'
    : `is no key of this block and is ignored; did you mean ${guess}?`;
}
