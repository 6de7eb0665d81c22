// Runs one configuration of a corpus: what its reader would say of it, and what was understood, against `.expect.json`.
import { isDeepStrictEqual } from 'node:util';
import { mergeConsulTemplates } from '../../../src/config/sources/consul-template/merge-consul-templates.ts';
import { readConsulTemplate } from '../../../src/config/sources/consul-template/read-consul-template.ts';
import type { SaidTemplate } from '../../../src/config/sources/consul-template/read-template.ts';
import { readEnvconsul } from '../../../src/config/sources/envconsul/read-envconsul.ts';
import { HclError, type HclObject } from '../../../src/config/sources/hcl/node.ts';
import { parseHcl } from '../../../src/config/sources/hcl/parse.ts';
import type { Report } from '../../../src/config/sources/hcl/report.ts';
import { decodeTree, type MapTree } from '../../../src/config/sources/hcl/tree.ts';
import { checkAgent, mergeAgents } from '../../../src/config/sources/vault-agent/merge-agents.ts';
import type { SaidAgent } from '../../../src/config/sources/vault-agent/read-agent.ts';
import { readAgent } from '../../../src/config/sources/vault-agent/read-agent.ts';
import { plainTree } from '../plain-tree.ts';

export interface ConfigExpectation {
  readonly verdict: string;
  readonly reader: string;
  readonly method?: unknown;
  readonly sinks?: unknown;
  readonly templates?: unknown;
  readonly env_templates?: unknown;
  readonly tree?: unknown;
}

interface Understood {
  readonly verdict: string;
  readonly tree?: unknown;
  readonly method?: unknown;
  readonly sinks?: unknown;
  readonly templates?: unknown;
  readonly env_templates?: unknown;
}

/** What differs, a line each; empty: nothing. */
export function runConfigCase(file: string, text: string, expected: ConfigExpectation): string[] {
  const got = understand(file, text, expected.reader);
  const differences: string[] = [];
  const compare = (what: keyof Understood, wanted: unknown) => {
    if (wanted === undefined || isDeepStrictEqual(got[what], wanted)) return;
    differences.push(`${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got[what])}`);
  };
  compare('verdict', expected.verdict);
  compare('tree', expected.tree);
  for (const what of ['method', 'sinks', 'env_templates'] as const) compare(what, expected[what]);
  if (!expected.reader.startsWith('consul-template')) compare('templates', expected.templates);
  // Its reader moves the commands elsewhere before it tells of them.
  else if (!isDeepStrictEqual(withoutCommands(got.templates), withoutCommands(expected.templates)))
    compare('templates', expected.templates);
  return differences;
}

function withoutCommands(templates: unknown): unknown {
  if (!Array.isArray(templates)) return templates;
  return templates.map((template: Record<string, unknown>) => ({
    ...template,
    command: undefined,
    exec: undefined,
  }));
}

function understand(file: string, text: string, reader: string): Understood {
  let isRefused = false;
  const report: Report = {
    problem() {
      isRefused = true;
    },
    note: () => undefined,
  };
  let root: HclObject;
  try {
    root = parseHcl(text);
  } catch (error) {
    if (error instanceof HclError) return { verdict: 'syntax error' };
    throw error;
  }
  const verdict = () => (isRefused ? 'refused' : 'accepted');
  let tree: unknown;
  try {
    if (reader.startsWith('openbao')) tree = treeOfAny(root);
    else tree = plainTree(decodeTree(root));
    if (reader.startsWith('envconsul')) {
      readEnvconsul(file, root, report);
      return { verdict: verdict(), tree };
    }
    if (reader.startsWith('consul-template')) {
      const said = mergeConsulTemplates([readConsulTemplate(file, root, report)]);
      return { verdict: verdict(), tree, templates: said.templates.map(templateOf) };
    }
  } catch (error) {
    if (error instanceof HclError) return { verdict: 'refused', tree };
    throw error;
  }
  const agent = mergeAgents([readAgent(file, root, report)]);
  if (isRefused) return { verdict: 'refused', tree };
  checkAgent(agent, file, report);
  return {
    verdict: isRefused ? 'refused after merge (complete configuration)' : 'accepted',
    tree,
    ...partsOf(agent),
  };
}

/** An agent decodes block by block: what has no form as a whole may be read all the same. */
function treeOfAny(root: HclObject): unknown {
  try {
    return plainTree(decodeTree(root));
  } catch (error) {
    if (error instanceof HclError) return undefined;
    throw error;
  }
}

function partsOf({ autoAuth, templates, envTemplates }: SaidAgent): Omit<Understood, 'verdict'> {
  return {
    ...(autoAuth === undefined ? {} : { method: methodOf(autoAuth.method) }),
    sinks: autoAuth?.sinks.map(({ type, config, wrapTtl }) => ({
      Type: type.value,
      ...(config === undefined ? {} : { Config: configOf(config) }),
      ...(wrapTtl === undefined ? {} : { WrapTTL: wrapTtl.value * 1e6 }),
    })),
    templates: templates.map(templateOf),
    env_templates: envTemplates.map(({ name, template }) => ({ name: name.value, ...templateOf(template) })),
  };
}

function methodOf({ type, mountPath, config }: NonNullable<SaidAgent['autoAuth']>['method']) {
  const mount = mountPath?.value || `auth/${type.value}`;
  return {
    type: type.value,
    mount: mount.replace(/\/$/, ''),
    config: config === undefined ? null : configOf(config),
  };
}

function configOf(config: MapTree): unknown {
  return plainTree(config);
}

function templateOf({ source, contents, destination, perms, command, exec }: SaidTemplate) {
  return Object.fromEntries(
    Object.entries({
      source: source?.value,
      contents: contents?.value,
      destination: destination?.value,
      perms: perms?.value.toString(8),
      command: command === undefined ? undefined : `[${command.value.join(' ')}]`,
      exec: exec?.command === undefined ? undefined : `[${exec.command.value.join(' ')}]`,
    }).filter(([, value]) => value !== undefined),
  );
}
