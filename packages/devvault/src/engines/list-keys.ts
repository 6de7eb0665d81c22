// What LIST shows: the names directly below a folder, folders with a slash, each once, sorted.

export function listKeys(paths: Iterable<string>, folder: string): string[] {
  const prefix = folder === '' ? '' : `${folder.replace(/\/$/, '')}/`;
  const keys = new Set<string>();
  for (const path of paths) {
    if (!path.startsWith(prefix)) continue;
    const below = path.slice(prefix.length);
    const slash = below.indexOf('/');
    if (below !== '') keys.add(slash === -1 ? below : below.slice(0, slash + 1));
  }
  return [...keys].sort();
}
