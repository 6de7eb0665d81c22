// An item of 1Password: what `op://VAULT/ITEM/[SECTION/]FIELD` means in it.
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, objectsIn } from '../../base/text/json.ts';
import type { ItemPath } from './onepassword-path.ts';

interface ItemField {
  readonly id: string;
  readonly label: string;
  readonly section: string | undefined;
  readonly value: string | undefined;
  readonly totp: string | undefined;
}

/** Equal for paths of the same item, as they are spelt. */
export function itemKey({ vault, item }: ItemPath): string {
  return JSON.stringify([vault, item]);
}

/** Equal for paths of the same secret; `place` is `VAULT/ITEM` by their ids, where they are known. */
export function canonicalItemPath(
  { vault, item, section, field, attribute }: ItemPath,
  place = `${vault}/${item}`,
): string {
  return [place, section ?? '', field ?? '', attribute ?? ''].join('/').toLowerCase();
}

const usualSeconds = 30;

/** How a one-time password ages that was answered now; `url` is what its field holds, where that is known. */
export function oneTimeLife(wallMs: number, url = ''): { kind: 'rotating'; ttlSeconds: number } {
  const told = Number(URL.parse(url)?.searchParams.get('period') ?? '');
  const seconds = Number.isInteger(told) && told > 0 ? told : usualSeconds;
  return { kind: 'rotating', ttlSeconds: seconds - ((wallMs / 1000) % seconds) };
}

/** By id or label, whatever their case; without a section one that is in none goes before others, of which there may be one. */
export function pickField(item: JsonObject, path: ItemPath): ItemField | undefined {
  const found = fieldsOf(item).filter((field) => same(field.id, path.field) || same(field.label, path.field));
  if (path.section !== undefined) {
    const sections = sectionsOf(item).filter(
      ({ id, label }) => same(id, path.section) || same(label, path.section),
    );
    return found.find((field) => sections.some(({ id }) => id === field.section));
  }
  const loose = found.find((field) => field.section === undefined);
  if (loose !== undefined || found.length < 2) return loose ?? found[0];
  throw new LatchkeyError(
    'request_invalid',
    `item ${path.vault}/${path.item} has several fields ${path.field}`,
    {
      remedy: 'name its section: op://VAULT/ITEM/SECTION/FIELD',
    },
  );
}

/** The id of the file of this name. */
export function pickFile(item: JsonObject, { field }: ItemPath): string | undefined {
  const file = objectsIn(item['files']).find(
    ({ id, name }) => same(textOf(name), field) || same(textOf(id), field),
  );
  return file === undefined ? undefined : textOf(file['id']);
}

/** Every field with a value by its label; those of sections as `SECTION/LABEL` where the label is taken. */
export function plainFields(item: JsonObject): JsonObject {
  const fields: JsonObject = {};
  const sections = new Map(sectionsOf(item).map(({ id, label }) => [id, label]));
  for (const { id, label, section, value } of fieldsOf(item)) {
    if (value === undefined) continue;
    const name = label || id;
    fields[Object.hasOwn(fields, name) ? `${sections.get(section ?? '') ?? section ?? id}/${name}` : name] =
      value;
  }
  return fields;
}

function fieldsOf(item: JsonObject): ItemField[] {
  return objectsIn(item['fields']).map(({ id, label, section, value, totp }) => ({
    id: textOf(id) ?? '',
    label: textOf(label) ?? '',
    section: isJsonObject(section) ? textOf(section['id']) : undefined,
    value: textOf(value),
    totp: textOf(totp),
  }));
}

function sectionsOf(item: JsonObject): { id: string; label: string }[] {
  return objectsIn(item['sections']).map(({ id, label }) => ({
    id: textOf(id) ?? '',
    label: textOf(label) ?? '',
  }));
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function same(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a.toLowerCase() === b.toLowerCase();
}

/** Throws `not_found`, and `request_invalid` where several are called so. */
export function onlyOne<T extends { readonly id?: unknown }>(found: readonly T[], what: string): T {
  const [first, second] = found;
  if (first === undefined) throw new LatchkeyError('not_found', `1Password has no ${what}`);
  if (second === undefined) return first;
  const ids = found.map(({ id }) => String(id)).join(', ');
  throw new LatchkeyError('request_invalid', `1Password has several: ${what}: ${ids}`, {
    remedy: 'name one by its id',
  });
}
