// What only this host can tell of a configuration: files that must be there, users and groups that must exist.
import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { lookAt } from '../../base/paths/look-at.ts';
import { standardStreamOf } from '../../base/paths/special-file.ts';
import { findGroup, findUser } from '../../base/system/accounts.ts';
import type { Place, Problems } from '../problems.ts';
import type { ResolvedConfig } from '../resolved.ts';
import type { MergedConfig } from '../sources/merge.ts';

/** Template files must be there; the rest of the agent does not depend on it, so only `validate` and a start ask. */
export function checkTemplateFiles(config: ResolvedConfig, merged: MergedConfig, problems: Problems): void {
  const fine = new Set<string>();
  for (const [index, { source }] of config.files.entries()) {
    const place = merged.files[index]?.place;
    if (place === undefined || source.kind !== 'file' || fine.has(source.path)) continue;
    const { stats, fault } = lookAt(source.path);
    if (fault !== undefined)
      problems.add(place.at('template'), `${source.path} ${fault.what}; ${fault.remedy}`);
    else if (stats === undefined) {
      problems.add(
        place.at('template'),
        `no such file: ${source.path}; write the template or correct the path`,
      );
    } else if (!stats.isFile()) {
      problems.add(place.at('template'), `expected a file, ${source.path} is none`);
    } else fine.add(source.path);
  }
}

/** A key that is not there may come later, or be written by the agent itself: until then the hook refuses all. */
export function checkHookFiles(config: ResolvedConfig, merged: MergedConfig, problems: Problems): void {
  const written = new Set(config.files.map(({ destination }) => destination));
  for (const { name, proof } of config.hooks) {
    const path = proof.kind === 'hmac' ? proof.secretFile : proof.jwksFile;
    const place = merged.hooks.find((hook) => hook.name === name)?.place;
    if (path === undefined || place === undefined || written.has(path) || existsSync(path)) continue;
    const at = place.at(proof.kind, proof.kind === 'hmac' ? 'secret_file' : 'jwks_file');
    problems.warn(at, `no such file: ${path}; until it is there every message of this hook is refused`);
  }
}

/** Two destinations that links make one file: each would be written over by the other, again and again. */
export function checkLinkedDestinations(
  config: ResolvedConfig,
  merged: MergedConfig,
  problems: Problems,
): void {
  const first = new Map<string, { destination: string; place: Place }>();
  const folders = new Map<string, string>();
  for (const [index, { destination }] of config.files.entries()) {
    const place = merged.files[index]?.place;
    if (place === undefined || standardStreamOf(destination) !== undefined) continue;
    const path = realPathOf(destination, folders);
    const other = first.get(path);
    if (other === undefined) first.set(path, { destination, place });
    else if (other.destination !== destination) {
      const which = `${destination} is the same file as ${other.destination} (${String(other.place)})`;
      problems.add(place.at('destination'), `${which}: both lead to ${path}; remove one`);
    }
  }
}

/** As far as it is there: a file that is still to be made counts as what its folder leads to. `folders`: those known. */
function realPathOf(path: string, folders: Map<string, string>): string {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return realpathSync.native(path);
  } catch {
    // A folder that cannot be looked into, or a link to nothing.
  }
  const folder = dirname(path);
  if (folder === path) return path;
  const real = folders.get(folder) ?? realPathOf(folder, folders);
  folders.set(folder, real);
  return join(real, basename(path));
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
    if ('user' in value) check.user(value.user, place.at('user'));
    if ('group' in value) check.group(value.group, place.at('group'));
    for (const [index, sink] of ('sinks' in value ? value.sinks : []).entries()) {
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
