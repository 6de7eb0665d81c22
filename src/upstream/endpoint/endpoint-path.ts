// What a path and the parameters of a reference mean at an endpoint: they fill the words in braces, each escaped for its place.
import { LatchkeyError } from '../../base/errors.ts';

interface Words {
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Slashes of the path stay slashes in a URL; all else of it is data. Throws `request_invalid`. */
export function filledUrl(template: string, words: Words): string {
  return filled(template, words, encodeURIComponent, (path) => path.split('/').map(pathPart).join('/'));
}

/** Throws `request_invalid` for a parameter that the reference does not have. */
export function filledBody(template: string, words: Words): string {
  return filled(template, words, escapeJson, escapeJson);
}

function filled(
  template: string,
  { path, parameters }: Words,
  quote: (text: string) => string,
  quotePath: (path: string) => string,
): string {
  return template.replaceAll(/\{([A-Za-z0-9_.-]+)\}/g, (_whole, name: string) => {
    if (name === 'path') return quotePath(path);
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (value !== undefined) return quote(value);
    throw new LatchkeyError('request_invalid', `${path}: the upstream wants the parameter ${name}`, {
      remedy: `set parameters.${name} of the secret`,
    });
  });
}

function pathPart(part: string): string {
  if (part !== '.' && part !== '..') return encodeURIComponent(part);
  throw new LatchkeyError('request_invalid', `expected a path without ${part}`);
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
