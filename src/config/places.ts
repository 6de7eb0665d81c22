// Where in the files something of a loaded config stands, for what is found wrong with it later: `FILE:LINE:COLUMN`.
import type { Item, Named } from './item.ts';
import type { Path, Place } from './problems.ts';
import type { MergedConfig } from './sources/merge.ts';

/**
 * Of what the config calls so: `['files', 0, 'destination']` by the index in it, `['processes', 'app', 'command']` by the name.
 * Of what is not there, the nearest thing around it; undefined: nothing is known of it.
 */
export type Locate = (path: Path) => string | undefined;

export function locateIn(merged: MergedConfig): Locate {
  return ([section, which, ...rest]) => {
    const list = lists(merged)[String(section)];
    if (list !== undefined) {
      const item = typeof which === 'number' ? list[which] : list.find((one) => nameOf(one) === which);
      return item && positionOf(item.place.at(...rest));
    }
    const item = sections(merged)[String(section)];
    return item && positionOf(item.place.at(...(which === undefined ? [] : [which]), ...rest));
  };
}

function lists(merged: MergedConfig): Readonly<Record<string, readonly Item<unknown>[] | undefined>> {
  const { upstreams, secrets, files, processes, listeners, hooks } = merged;
  return { upstreams, secrets, files, processes, listeners, hooks };
}

function sections(merged: MergedConfig): Readonly<Record<string, Item<unknown> | undefined>> {
  const { audit, log, agent, template } = merged;
  return { audit, log, agent, template };
}

function nameOf(item: Item<unknown> | Named<unknown>): unknown {
  if ('name' in item) return item.name;
  const { value } = item;
  return typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined;
}

function positionOf({ source, path }: Place): string {
  const position = source.locate(path, 'value');
  if (position === undefined) return source.file;
  return `${position.file ?? source.file}:${position.line}:${position.column}`;
}

/** A line about something of the config, with where that stands before it, as far as that is known. */
export function placedLine(path: Path, line: string, locate: Locate | undefined): string {
  const where = locate?.(path);
  return where === undefined ? line : `${where}: ${line}`;
}
