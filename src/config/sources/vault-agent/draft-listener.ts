// A `listener` as one of ours: open to whoever reaches it, as there, because a caller needs nothing but the way to it.
import { resolve } from 'node:path';
import type { DraftContext } from '../draft.ts';
import type { SaidAgent } from './read-agent.ts';
import type { SaidListener } from './read-listener.ts';

const defaultAddress = '127.0.0.1:8200';

export function draftListener(
  listener: SaidListener,
  agent: SaidAgent,
  { draft, report, folder }: DraftContext,
): void {
  const { origin, address } = listener;
  const path = draft.add(['listeners'], origin);
  const set = (key: string, value: unknown, at = origin) => draft.set([...path, key], value, at);
  const text = address === undefined || address.value === '' ? defaultAddress : address.value;
  if (listener.type.value === 'unix') {
    set('unix', resolve(folder, text), address?.origin);
    set('mode', socketMode(listener), listener.socketMode?.origin);
    set('user', listener.socketUser?.value || undefined, listener.socketUser?.origin);
    set('group', listener.socketGroup?.value || undefined, listener.socketGroup?.origin);
  } else {
    draftTcp(listener, text, set, report, folder);
  }
  set('open', true);
  const isMetricsOnly = listener.role?.value === 'metrics_only';
  set('serve', isMetricsOnly ? ['metrics'] : ['vault', 'metrics'], listener.role?.origin);
  if (isMetricsOnly) return;
  if (listener.requireRequestHeader?.value === true)
    set('require_request_header', true, listener.requireRequestHeader.origin);
  if (listener.enableQuit !== undefined) set('enable_quit', true, listener.enableQuit.origin);
  const use = agent.apiProxy?.useAutoAuthToken;
  set('use_auto_auth_token', use?.value ?? false, use?.origin ?? origin);
}

function socketMode({ socketMode: mode }: SaidListener): string {
  // Go makes the socket with what the umask leaves of 0777.
  return mode === undefined || mode.value === '' ? '0755' : mode.value.padStart(4, '0').slice(-4);
}

function draftTcp(
  { origin, tlsDisable, tlsCertFile, tlsKeyFile, address }: SaidListener,
  text: string,
  set: (key: string, value: unknown, at?: SaidListener['origin']) => void,
  report: DraftContext['report'],
  folder: string,
): void {
  const at = address?.origin ?? origin;
  const withHost = text.startsWith(':') ? `0.0.0.0${text}` : text.replace(/^\[::\]/, '[::]');
  set('tcp', withHost, at);
  const isTls = tlsDisable?.value !== true;
  if (isTls && (tlsCertFile === undefined || tlsKeyFile === undefined)) {
    report.problem(origin, 'expected tls_cert_file and tls_key_file, or tls_disable = true');
  } else if (isTls) {
    set(
      'tls',
      {
        cert_file: resolve(folder, tlsCertFile?.value ?? ''),
        key_file: resolve(folder, tlsKeyFile?.value ?? ''),
      },
      tlsCertFile?.origin,
    );
  }
  if (/^(?:127\.|localhost:|\[::1\])/.test(withHost)) return;
  set('allow_remote', true, at);
  report.note(
    'advice',
    at,
    `${withHost} is open to the network, and whoever reaches it has what the agent's token may; name a loopback address`,
  );
}
