// Looks through all strings of a source for what must not be there: secrets, and `${NAME}` where nothing expands it.
import { Place, type Problems } from './problems.ts';
import type { ConfigSource } from './read-source.ts';

const vaultToken = /(?:^|[\s"'=:])(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{24,}/;
const privateKey = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/;
const expansion = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/;
/** A shell, the program itself or the template may give `${NAME}` a meaning here. */
const mayExpand = new Set(['command', 'env', 'contents', 'check', 'settle']);

export function checkLiterals(source: ConfigSource, problems: Problems): void {
  visit(source.value, new Place(source, []), problems);
}

function visit(value: unknown, place: Place, problems: Problems): void {
  if (typeof value === 'string') checkText(value, place, problems);
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visit(item, place.at(index), problems);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) visit(item, place.at(key), problems);
  }
}

function checkText(text: string, place: Place, problems: Problems): void {
  if (vaultToken.test(text) || privateKey.test(text)) {
    const what = privateKey.test(text) ? 'a private key' : 'a token';
    problems.add(
      place,
      `looks like ${what}: secrets do not belong in this file; keep it in a file of its own`,
    );
    return;
  }
  const found = expansion.exec(text)?.[0];
  if (found !== undefined && !place.path.some((step) => mayExpand.has(String(step)))) {
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
