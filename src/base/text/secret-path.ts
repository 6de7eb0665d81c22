// Paths of secrets as people write them.
/** A query of `key=value` pairs at its end (`a/b?version=2`) goes to the parameters. */
export function splitQuery(text: string): { path: string; parameters: Readonly<Record<string, string>> } {
  const query = /\?((?:[A-Za-z_][\w.-]*=[^&?]*)(?:&[A-Za-z_][\w.-]*=[^&?]*)*)$/.exec(text);
  if (query === null) return { path: text, parameters: {} };
  return {
    path: text.slice(0, query.index),
    parameters: Object.fromEntries(new URLSearchParams(query[1])),
  };
}

/** One spelling of each: doubled slashes, and those at both ends, mean nothing. */
export function plainSlashes(path: string): string {
  return path.replace(/\/{2,}/g, '/').replace(/^\/|\/$/g, '');
}
