// The rotations that are remembered: the last of each secret, and of all together no more than there is room for.
import type { Rotation } from './rotation.ts';

export interface RotationRing {
  isEmpty(): boolean;
  /** Newest first. */
  of(key: string): readonly Rotation[];
  newest(key: string): Rotation | undefined;
  /** Of all secrets, newest first. */
  latest(count: number): Rotation[];
  add(rotation: Rotation): void;
  remove(rotation: Rotation): void;
  forget(key: string): void;
  /** It holds more by so many bytes; the oldest of all make room for it. */
  grow(rotation: Rotation, bytes: number): void;
}

const limits = { ofOne: 8, ofAll: 1024, bytes: 1024 * 1024 };

export function createRotationRing(): RotationRing {
  /** Oldest first. */
  const all = new Set<Rotation>();
  const byKey = new Map<string, Rotation[]>();
  let total = 0;

  function remove(rotation: Rotation): void {
    if (!all.delete(rotation)) return;
    total -= rotation.bytes;
    const left = byKey.get(rotation.key)?.filter((one) => one !== rotation) ?? [];
    if (left.length === 0) byKey.delete(rotation.key);
    else byKey.set(rotation.key, left);
  }

  /** The newest stays, however long it is. */
  function makeRoom(): void {
    for (const oldest of all) {
      if (all.size <= 1 || (all.size <= limits.ofAll && total <= limits.bytes)) return;
      remove(oldest);
    }
  }

  return {
    isEmpty: () => all.size === 0,
    of: (key) => byKey.get(key) ?? [],
    newest: (key) => byKey.get(key)?.[0],
    latest: (count) => [...all].slice(-count).reverse(),
    add(rotation) {
      all.add(rotation);
      total += rotation.bytes;
      const known = [rotation, ...(byKey.get(rotation.key) ?? [])];
      byKey.set(rotation.key, known);
      for (const old of known.slice(limits.ofOne)) remove(old);
      makeRoom();
    },
    remove,
    forget(key) {
      for (const rotation of byKey.get(key) ?? []) remove(rotation);
    },
    grow(rotation, bytes) {
      rotation.bytes += bytes;
      if (!all.has(rotation)) return;
      total += bytes;
      makeRoom();
    },
  };
}
