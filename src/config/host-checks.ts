// What only this host can tell of a configuration: files that must be there, users and groups that must exist.
import { statSync } from 'node:fs';
import { findGroup, findUser } from '../base/accounts.ts';
import type { MergedConfig } from './merge.ts';
import type { Place, Problems } from './problems.ts';
import type { ResolvedConfig } from './resolved.ts';

/** Template files must be there; the rest of the agent does not depend on it, so only `validate` and a start ask. */
export function checkTemplateFiles(config: ResolvedConfig, merged: MergedConfig, problems: Problems): void {
  const fine = new Set<string>();
  for (const [index, { source }] of config.files.entries()) {
    const place = merged.files[index]?.place;
    if (place === undefined || source.kind !== 'file' || fine.has(source.path)) continue;
    const stats = statSync(source.path, { throwIfNoEntry: false });
    if (stats === undefined) {
      problems.add(
        place.at('template'),
        `no such file: ${source.path}; write the template or correct the path`,
      );
    } else if (!stats.isFile()) {
      problems.add(place.at('template'), `expected a file, ${source.path} is none`);
    } else fine.add(source.path);
  }
}

export function checkAccounts(merged: MergedConfig, problems: Problems): void {
  const check = createAccountCheck(problems);
  for (const { value, place } of merged.files) {
    check.user(value.owner, place.at('owner'));
    check.group(value.group, place.at('group'));
  }
  for (const { value, place } of [...merged.processes, ...merged.listeners]) {
    check.user(value.user, place.at('user'));
    check.group(value.group, place.at('group'));
  }
  for (const { value, place } of merged.rules) {
    check.user(value.client.user, place.at('client', 'user'));
    check.group(value.client.group, place.at('client', 'group'));
  }
  for (const { value, place } of merged.upstreams) {
    for (const [index, sink] of value.sinks.entries()) {
      check.user(sink.owner, place.at('sinks', index, 'owner'));
      check.group(sink.group, place.at('sinks', index, 'group'));
    }
  }
}

function createAccountCheck(problems: Problems) {
  const cache = new Map<string, boolean>();
  const check = (kind: 'user' | 'group', name: string | undefined, place: Place) => {
    // A number is an id, and ids need no account.
    if (name === undefined || /^\d+$/.test(name)) return;
    const key = `${kind} ${name}`;
    const exists = cache.get(key) ?? (kind === 'user' ? findUser(name) : findGroup(name)) !== undefined;
    cache.set(key, exists);
    if (!exists) problems.add(place, `there is no ${key} on this host; create it or correct the name`);
  };
  return {
    user: (name: string | undefined, place: Place) => check('user', name, place),
    group: (name: string | undefined, place: Place) => check('group', name, place),
  };
}
