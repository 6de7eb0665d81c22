// A prepared change, committed: what a reload does with many of them.
import type { Prepared } from '../../src/base/prepared.ts';

export async function apply<T>(preparing: Promise<Prepared<T>>): Promise<T> {
  return (await preparing).commit();
}
