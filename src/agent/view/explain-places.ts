// What else has a name of its own: hooks, the token files of listeners, and the sinks of upstreams.

import { statSync } from 'node:fs';
import type { ExplainedPlace } from '../../api/admin.ts';
import type { AgentStatus, ListenerStatus, UpstreamStatus } from '../../api/status.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { counted, timesText } from '../../base/text/counted.ts';
import type { HookConfig, ListenerConfig, ResolvedConfig } from '../../config/resolved.ts';
import type { MetricsRegistry } from '../../metrics/registry.ts';
import { isAskedFor } from '../../server/hooks/hook-events.ts';

interface PlaceSources {
  readonly config: Pick<ResolvedConfig, 'hooks' | 'listeners' | 'access'>;
  readonly status: AgentStatus;
  readonly registry: Pick<MetricsRegistry, 'read'>;
}

/** Hooks by name, the others by path. */
export function explainPlaces(subject: string, sources: PlaceSources): ExplainedPlace[] {
  const { config, status } = sources;
  return [
    ...config.hooks.filter(({ name }) => name === subject).map((hook) => explainedHook(hook, sources)),
    ...config.listeners.flatMap((listener, index) => {
      const shown = status.listeners.find(({ place }) => place === `listeners[${index}]`);
      return tokenFileOf(listener) === subject ? [explainedTokenFile(listener, shown, sources)] : [];
    }),
    ...status.upstreams.flatMap((upstream) =>
      (upstream.sinks ?? [])
        .filter(({ path }) => path === subject)
        .map((sink) => explainedSink(sink, upstream)),
    ),
  ];
}

/** All that could be meant. */
export function namesOfPlaces({ hooks, listeners }: PlaceSources['config'], status: AgentStatus): string[] {
  return [
    ...hooks.map(({ name }) => name),
    ...listeners.flatMap((listener) => tokenFileOf(listener) ?? []),
    ...status.upstreams.flatMap(({ sinks = [] }) => sinks.map(({ path }) => path)),
  ];
}

function tokenFileOf(listener: ListenerConfig): string | undefined {
  return listener.kind === 'tcp' ? listener.tokenFile : undefined;
}

/** Then it is for others than root and the agent's own user (docs/reference/access.md). */
function isGivenAway(listener: ListenerConfig): boolean {
  if (listener.kind !== 'tcp') return false;
  const { owner, group } = listener.tokenFileRights ?? {};
  return owner !== undefined || group !== undefined;
}

function explainedHook(hook: HookConfig, { status, registry }: PlaceSources): ExplainedPlace {
  const { name, proof, eventsPerMinute, requestsPerMinute } = hook;
  const serving = status.listeners.filter(({ serve }) => serve.includes('hooks'));
  const names = status.secrets.flatMap((one) => one.names).filter((one) => isAskedFor(hook, one));
  const counts =
    registry.read().find((metric) => metric.name === 'latchkey_hook_messages_total')?.points ?? [];
  const told = counts.flatMap(({ values: [of, outcome], value }) =>
    of === name ? [`${value} ${outcome}`] : [],
  );
  const by =
    proof.kind === 'hmac'
      ? `an HMAC (${proof.algorithm}) in the header ${proof.header}`
      : `a JWT of ${proof.issuer} in the header ${proof.header}`;
  return {
    kind: 'hook',
    name,
    says: [
      serving.length === 0
        ? 'no listener takes its messages: add `hooks` to `serve` of one'
        : `takes POST /hooks/${name} at ${serving.map(({ address }) => address).join(', ')}, proved by ${by}`,
      `a message makes upstream be asked at once for ${names.join(', ')}, and nothing else`,
      `at most ${timesText(eventsPerMinute)} a minute, and ${counted(requestsPerMinute, 'message')} of one sender`,
      told.length === 0
        ? 'no message has come since the start: the sender, its address and its signature can be tried with curl'
        : `messages since the start: ${told.join(', ')}`,
      ...(told.some((one) => one.endsWith(' refused'))
        ? [
            'why one was refused is in the audit trail: latchkey audit query --denied, and in the log (request.refused)',
          ]
        : []),
    ],
  };
}

function explainedTokenFile(
  listener: ListenerConfig,
  shown: ListenerStatus | undefined,
  { config }: PlaceSources,
): ExplainedPlace {
  const path = tokenFileOf(listener) ?? '';
  const place = shown?.place ?? '';
  const rules = config.access.rules.filter(({ client }) => client.token === place || client.token === path);
  return {
    kind: 'token_file',
    name: path,
    says: [
      `the token of the listener ${shown?.address ?? listener.place} (${place}), kept over restarts while nobody else could read it`,
      ...lookAt(path, 'it is written again within seconds, or at once with `kill -USR1`'),
      rules.length > 0
        ? `who shows it is allowed what ${rules.map(({ name }) => `rule ${name}`).join(', ')} allows`
        : config.access.strict || isGivenAway(listener)
          ? `no rule is for who shows it, and nothing is allowed by it: add one with client: { token: "${place}" }`
          : `no rule is for who shows it: whoever can read the file may do all, as the agent's own user may`,
    ],
  };
}

function explainedSink(
  { path, written_at: at, error }: NonNullable<UpstreamStatus['sinks']>[number],
  { name, login }: UpstreamStatus,
): ExplainedPlace {
  const ends = typeof login?.expires_at === 'string' ? `, which ends ${login.expires_at}` : '';
  return {
    kind: 'sink',
    name: path,
    says: [
      `holds the token of upstream ${name} (login ${login?.state ?? 'none'})${ends}; written again with each new one`,
      at === null ? 'not written since the start' : `written at ${at}`,
      ...(error === null
        ? lookAt(
            path,
            'whoever reads it may have removed it (a wrapped token), else it is written again at once',
          )
        : [`${error}; it is tried again at most a minute later`]),
    ],
  };
}

/** As it lies there now. */
function lookAt(path: string, remedy: string): string[] {
  try {
    const { mode, uid, gid, mtime } = statSync(path);
    const rights = (mode & 0o7777).toString(8).padStart(4, '0');
    return [`there since ${mtime.toISOString()}, mode ${rights}, of uid ${uid} and gid ${gid}`];
  } catch (error) {
    return [`not there (${errnoOf(error)}): ${remedy}`];
  }
}
