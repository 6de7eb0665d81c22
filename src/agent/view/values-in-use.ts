// What output that goes to the log must not show: the values of every secret that is held, and of each the one before, which
// a program may still print after it has moved on.
import type { SecretValue } from '../../base/secret-value.ts';
import { valuesOf } from '../../content/template-consumer.ts';
import type { SecretVersion } from '../../store/secret-version.ts';
import type { Store } from '../../store/store.ts';

/** The values of this moment: the same array as long as nothing changes, and made only when somebody asks. */
export function createValuesInUse(store: Store): () => readonly SecretValue[] {
  const replaced = new Map<string, SecretVersion>();
  /** Of a thousand secrets one changes: the others are not taken apart again. */
  const known = new WeakMap<SecretVersion, readonly SecretValue[]>();
  let values: readonly SecretValue[] | undefined;
  store.listen({
    changed() {
      values = undefined;
    },
    unheld({ key }, version) {
      replaced.set(key, version);
    },
    closed({ key }) {
      replaced.delete(key);
      values = undefined;
    },
  });

  function* versions(): Generator<SecretVersion> {
    yield* replaced.values();
    for (const { key, current } of store.entries()) {
      yield* store.holders(key).values();
      if (current !== undefined) yield current;
    }
  }

  function valuesIn(version: SecretVersion): readonly SecretValue[] {
    const found = known.get(version) ?? valuesOf([version]);
    known.set(version, found);
    return found;
  }

  return () => {
    values ??= [...new Set(versions())].flatMap(valuesIn);
    return values;
  };
}
