// Lines of a Vault policy, ready to be pasted. Pure.
import type { Grant } from '../../upstream/secret-source.ts';

/** One stanza for each path, sorted, with all that is asked of it. */
export function policyText(grants: readonly Grant[]): string {
  const byPath = new Map<string, Set<string>>();
  for (const { path, capabilities } of grants) {
    const before = byPath.get(path) ?? new Set<string>();
    byPath.set(path, new Set([...before, ...capabilities]));
  }
  return [...byPath]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([path, capabilities]) =>
        `path ${quoted(path)} {\n  capabilities = [${[...capabilities].map(quoted).join(', ')}]\n}\n`,
    )
    .join('');
}

/** As HCL writes it, in which `${` would begin an expression. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${');
}
