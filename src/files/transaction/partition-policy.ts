// Which sets of files share a transaction: those that would send an identical notification, so that it is sent once.
// All others go alone, and so never wait for each other's checks and programs.

/** Splits the items so that two which share a key, directly or through others, are together; keeps their order. */
export function partitionBySharedKeys<T>(items: readonly T[], keysOf: (item: T) => Iterable<string>): T[][] {
  const parts: T[][] = [];
  const partOfKey = new Map<string, T[]>();
  for (const item of items) {
    const keys = [...keysOf(item)];
    const met = new Set(keys.map((key) => partOfKey.get(key)).filter((part) => part !== undefined));
    const [first, ...others] = [...met].sort((a, b) => parts.indexOf(a) - parts.indexOf(b));
    const part = first ?? [];
    if (first === undefined) parts.push(part);
    for (const other of others) {
      part.push(...other);
      parts.splice(parts.indexOf(other), 1);
      for (const [key, owner] of partOfKey) if (owner === other) partOfKey.set(key, part);
    }
    part.push(item);
    for (const key of keys) partOfKey.set(key, part);
  }
  return parts;
}
