// The counters of Vault Agent under its names, for dashboards and alerts that were made for it: read from our own, so that
// both tell the same. Who proxies is `agent` there too, also where it calls itself Vault Proxy.
import type { MetricPoint, MetricReading } from './registry.ts';

/** Prometheus text. `signifier` is in the names of what tells of the login. */
export function vaultAgentText(readings: readonly MetricReading[], signifier: 'agent' | 'proxy'): string {
  const sum = (name: string, isMeant: (labels: Record<string, string>) => boolean): number => {
    const metric = readings.find((one) => one.name === name);
    const meant = metric?.points.filter((point) => isMeant(labelled(metric.labels, point))) ?? [];
    return meant.reduce((total, { value }) => total + value, 0);
  };
  const logins = (isOk: boolean): number =>
    sum('latchkey_upstream_logins_total', ({ outcome }) => (outcome === 'ok') === isOk);
  const answers = (least: number, most: number): number =>
    sum('latchkey_requests_total', ({ dialect, status }) => {
      return dialect === 'vault' && Number(status) >= least && Number(status) <= most;
    });
  const cached = (wanted: string): number =>
    sum('latchkey_vault_cache_total', ({ result }) => result === wanted);
  const counters: Readonly<Record<string, number>> = {
    [`vault_${signifier}_auth_success`]: logins(true),
    [`vault_${signifier}_auth_failure`]: logins(false),
    vault_agent_proxy_success: answers(100, 399),
    vault_agent_proxy_client_error: answers(400, 499),
    vault_agent_proxy_error: answers(500, 599),
    vault_agent_cache_hit: cached('hit'),
    vault_agent_cache_miss: cached('miss'),
  };
  const isAuthenticated = sum('latchkey_upstream_up', () => true) > 0;
  return [
    ...Object.entries(counters).map(([name, value]) => sample(name, 'counter', value)),
    sample(`vault_${signifier}_authenticated`, 'gauge', isAuthenticated ? 1 : 0),
  ].join('');
}

function labelled(labels: readonly string[], { values }: MetricPoint): Record<string, string> {
  return Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
}

function sample(name: string, kind: string, value: number): string {
  return `# HELP ${name} ${name}\n# TYPE ${name} ${kind}\n${name} ${value}\n`;
}
