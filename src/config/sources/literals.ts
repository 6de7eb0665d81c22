// Looks through all strings of a source for what must not be there: secrets, and `${NAME}` where nothing expands it.
import { Place, type Problems } from '../problems.ts';
import type { ConfigSource } from './read-source.ts';

const vaultToken = /(?:^|[\s"'=:])(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{24,}/;
const privateKey = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/;
const expansion = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/;
/** A shell, the program itself or the template may give `${NAME}` a meaning here. */
const mayExpand = new Set(['command', 'env', 'contents', 'check', 'settle']);

export function checkLiterals(source: ConfigSource, problems: Problems): void {
  const path: (string | number)[] = [];
  // Aliases make one object stand in several places, in the worst case in 2^n of them.
  const seen = new WeakSet<object>();
  visit(source.value);

  function visit(value: unknown): void {
    if (typeof value === 'string') checkText(value);
    else if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value);
      const isList = Array.isArray(value);
      for (const key of Object.keys(value)) {
        path.push(isList ? Number(key) : key);
        visit((value as Record<string, unknown>)[key]);
        path.pop();
      }
    }
  }

  function checkText(text: string): void {
    if (vaultToken.test(text) || privateKey.test(text)) {
      const what = privateKey.test(text) ? 'a private key' : 'a token';
      problems.add(
        new Place(source, [...path]),
        `looks like ${what}: secrets do not belong in this file; keep it in a file of its own`,
      );
      return;
    }
    const found = text.includes('${') ? expansion.exec(text)?.[0] : undefined;
    if (found === undefined || path.some((step) => mayExpand.has(String(step)))) return;
    const place = new Place(source, [...path]);
    problems.add(place, `${found} is not expanded here; write the value itself${hintFor(place)}`);
  }
}

function hintFor(place: Place): string {
  const key = String(place.path.at(-1));
  const isUpstream = place.path[0] === 'upstreams';
  return isUpstream && (key === 'address' || key === 'namespace')
    ? `, or leave the key out to take $VAULT_${key === 'address' ? 'ADDR' : 'NAMESPACE'}`
    : '';
}
