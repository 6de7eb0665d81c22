// The options of consul-template and envconsul as a file of theirs: what a flag says is read by the same rules as what a file
// says, and counts after all files.
import type { FlagKind, GoFlags } from './go-flags.ts';

/** Where an option stands in a file: its block and key. */
export type Target = readonly [kind: FlagKind, ...path: string[]];

const tls = (block: string): Record<string, Target> => ({
  [`${block}-ssl`]: ['flag', block, 'ssl', 'enabled'],
  [`${block}-ssl-ca-cert`]: ['text', block, 'ssl', 'ca_cert'],
  [`${block}-ssl-ca-path`]: ['text', block, 'ssl', 'ca_path'],
  [`${block}-ssl-cert`]: ['text', block, 'ssl', 'cert'],
  [`${block}-ssl-key`]: ['text', block, 'ssl', 'key'],
  [`${block}-ssl-server-name`]: ['text', block, 'ssl', 'server_name'],
  [`${block}-ssl-verify`]: ['flag', block, 'ssl', 'verify'],
});
const retry = (block: string): Record<string, Target> => ({
  [`${block}-retry`]: ['flag', block, 'retry', 'enabled'],
  [`${block}-retry-attempts`]: ['number', block, 'retry', 'attempts'],
  [`${block}-retry-backoff`]: ['text', block, 'retry', 'backoff'],
  [`${block}-retry-max-backoff`]: ['text', block, 'retry', 'max_backoff'],
});
const transport = (block: string): Record<string, Target> => ({
  [`${block}-transport-dial-keep-alive`]: ['text', block, 'transport', 'dial_keep_alive'],
  [`${block}-transport-dial-timeout`]: ['text', block, 'transport', 'dial_timeout'],
  [`${block}-transport-disable-keep-alives`]: ['flag', block, 'transport', 'disable_keep_alives'],
  [`${block}-transport-max-conns-per-host`]: ['number', block, 'transport', 'max_conns_per_host'],
  [`${block}-transport-max-idle-conns-per-host`]: ['number', block, 'transport', 'max_idle_conns_per_host'],
  [`${block}-transport-tls-handshake-timeout`]: ['text', block, 'transport', 'tls_handshake_timeout'],
});

const shared: Readonly<Record<string, Target>> = {
  'consul-addr': ['text', 'consul', 'address'],
  'consul-token': ['text', 'consul', 'token'],
  'consul-token-file': ['text', 'consul', 'token_file'],
  'consul-namespace': ['text', 'consul', 'namespace'],
  ...retry('consul'),
  ...tls('consul'),
  ...transport('consul'),
  exec: ['text', 'exec', 'command'],
  'exec-env-pristine': ['flag', 'exec', 'env', 'pristine'],
  'exec-env-custom': ['list', 'exec', 'env', 'custom'],
  'exec-env-allowlist': ['list', 'exec', 'env', 'allowlist'],
  'exec-env-denylist': ['list', 'exec', 'env', 'denylist'],
  'exec-kill-signal': ['text', 'exec', 'kill_signal'],
  'exec-kill-timeout': ['text', 'exec', 'kill_timeout'],
  'exec-reload-signal': ['text', 'exec', 'reload_signal'],
  'exec-splay': ['text', 'exec', 'splay'],
  'kill-signal': ['text', 'kill_signal'],
  'log-level': ['text', 'log_level'],
  'max-stale': ['text', 'max_stale'],
  'pid-file': ['text', 'pid_file'],
  'reload-signal': ['text', 'reload_signal'],
  syslog: ['flag', 'syslog', 'enabled'],
  'syslog-facility': ['text', 'syslog', 'facility'],
  'syslog-name': ['text', 'syslog', 'name'],
  'vault-addr': ['text', 'vault', 'address'],
  'vault-namespace': ['text', 'vault', 'namespace'],
  'vault-token': ['text', 'vault', 'token'],
  'vault-agent-token-file': ['text', 'vault', 'vault_agent_token_file'],
  'vault-renew-token': ['flag', 'vault', 'renew_token'],
  'vault-unwrap-token': ['flag', 'vault', 'unwrap_token'],
  'vault-default-lease-duration': ['text', 'vault', 'default_lease_duration'],
  'vault-lease-renewal-threshold': ['number', 'vault', 'lease_renewal_threshold'],
  ...retry('vault'),
  ...tls('vault'),
  ...transport('vault'),
  wait: ['text', 'wait'],
};

export const consulTemplateTargets: Readonly<Record<string, Target>> = {
  ...shared,
  'block-query-wait': ['text', 'block_query_wait'],
  dedup: ['flag', 'deduplicate', 'enabled'],
  'default-left-delimiter': ['text', 'default_delimiters', 'left'],
  'default-right-delimiter': ['text', 'default_delimiters', 'right'],
  'log-file': ['text', 'log_file', 'path'],
  'log-rotate-bytes': ['number', 'log_file', 'log_rotate_bytes'],
  'log-rotate-duration': ['text', 'log_file', 'log_rotate_duration'],
  'log-rotate-max-files': ['number', 'log_file', 'log_rotate_max_files'],
  'template-error-fatal': ['flag', 'template_error_fatal'],
  'err-on-failed-lookup': ['flag', 'err_on_failed_lookup'],
  'nomad-addr': ['text', 'nomad', 'address'],
  'nomad-token': ['text', 'nomad', 'token'],
  'nomad-namespace': ['text', 'nomad', 'namespace'],
};

export const envconsulTargets: Readonly<Record<string, Target>> = {
  ...shared,
  pristine: ['flag', 'pristine'],
  sanitize: ['flag', 'sanitize'],
  upcase: ['flag', 'upcase'],
  'vault-k8s-auth-role-name': ['text', 'vault', 'k8s_auth_role_name'],
  'vault-k8s-service-account-token': ['text', 'vault', 'k8s_service_account_token'],
  'vault-k8s-service-account-token-path': ['text', 'vault', 'k8s_service_account_token_path'],
  'vault-k8s-service-mount-path': ['text', 'vault', 'k8s_service_mount_path'],
  // What they were called before.
  splay: ['text', 'exec', 'splay'],
  timeout: ['text', 'exec', 'kill_timeout'],
  ssl: ['flag', 'vault', 'ssl', 'enabled'],
  'ssl-ca-cert': ['text', 'vault', 'ssl', 'ca_cert'],
  'ssl-cert': ['text', 'vault', 'ssl', 'cert'],
  'ssl-verify': ['flag', 'vault', 'ssl', 'verify'],
};

/** Of a Consul that nobody asks, or of nothing here. */
export const idleFlags: Readonly<Record<string, FlagKind>> = {
  ...{ consul: 'text', auth: 'text', token: 'text', retry: 'text', 'consul-auth': 'text' },
  'vault-client-user-agent': 'text',
};

export function kindsOf(targets: Readonly<Record<string, Target>>): Record<string, FlagKind> {
  return Object.fromEntries(Object.entries(targets).map(([name, [kind]]) => [name, kind]));
}

/** Those of the flags that stand in `targets`. */
export function flagsToHcl({ said }: GoFlags, targets: Readonly<Record<string, Target>>): string {
  const root: Record<string, unknown> = {};
  for (const { name, value } of said) {
    const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
    if (target === undefined) continue;
    const [kind, ...path] = target;
    let at = root;
    for (const step of path.slice(0, -1)) {
      at[step] ??= {};
      at = at[step] as Record<string, unknown>;
    }
    const key = path.at(-1) ?? '';
    if (kind === 'list') at[key] = [...((at[key] as string[] | undefined) ?? []), literal(value)];
    // A command is one line for a shell, commas and all.
    else if (key === 'command') at[key] = `[${literal(value)}]`;
    else at[key] = kind === 'text' ? literal(value) : value;
  }
  return write(root);
}

/** A string in quotes; `${` stays as it is there. */
export function literal(text: string): string {
  return JSON.stringify(text);
}

function write(block: Record<string, unknown>): string {
  return Object.entries(block)
    .map(([key, value]) => {
      if (typeof value === 'string') return `${key} = ${value}`;
      if (Array.isArray(value)) return `${key} = [${value.join(', ')}]`;
      return `${key} {\n${write(value as Record<string, unknown>)}\n}`;
    })
    .join('\n');
}
