// The blocks that consul-template and envconsul share: vault, exec, wait, syslog, and those for Consul and Nomad, which are
// known here and have nothing to do.
import type { Record } from '../hcl/record.ts';
import type { Origin, Report } from '../hcl/report.ts';
import { readExec } from './read-template.ts';

/** What both tools have. */
export type SaidCommon = ReturnType<typeof readCommon>;

export function readCommon(record: Record, report: Report) {
  const vault = record.record('vault');
  const exec = record.record('exec');
  const syslog = record.record('syslog');
  const consul = readConsul(record, report);
  readStale(record, report);
  return {
    vault: vault && readVaultClient(vault, report),
    exec: exec && readExec(exec),
    killSignal: record.signal('kill_signal'),
    reloadSignal: record.signal('reload_signal'),
    logLevel: record.text('log_level'),
    pidFile: record.text('pid_file'),
    syslog: syslog && readSyslog(syslog),
    wait: record.wait('wait'),
    consul,
  };
}

function readStale(record: Record, report: Report): void {
  for (const said of [record.duration('max_stale'), record.duration('block_query_wait')]) {
    if (said !== undefined) report.note('ignored', said.origin, 'is about Consul, which is not asked here');
  }
}

function readSyslog(record: Record): Origin | undefined {
  const enabled = record.flag('enabled');
  record.text('facility');
  record.text('name');
  record.end();
  return enabled?.value === true ? record.origin : undefined;
}

/** What `env` in a template sees of it: `CONSUL_HTTP_ADDR` and so on. Also `consul = "ADDRESS"`, as old files have it. */
function readConsul(record: Record, report: Report) {
  if (record.isText('consul')) {
    const address = record.text('consul');
    return address && { origin: address.origin, address, tokenFile: undefined, ssl: undefined };
  }
  const consul = record.record('consul');
  if (consul === undefined) return undefined;
  const address = consul.text('address');
  consul.text('namespace');
  consul.text('token');
  const tokenFile = consul.text('token_file');
  const auth = consul.record('auth');
  auth?.flag('enabled');
  auth?.text('username');
  auth?.text('password');
  auth?.end();
  readRetry(consul);
  const ssl = readSsl(consul);
  readTransport(consul);
  consul.end();
  report.note('ignored', consul.origin, 'is not asked here: a template that needs Consul is refused');
  return { origin: consul.origin, address, tokenFile, ssl };
}

export function readNomad(record: Record, report: Report): void {
  const nomad = record.record('nomad');
  if (nomad === undefined) return;
  for (const key of ['address', 'namespace', 'token', 'auth_username', 'auth_password']) nomad.text(key);
  nomad.flag('enabled');
  // Their reader takes the block for a list there, and no list.
  if (readRetry(nomad))
    report.problem(nomad.origin, 'has a block retry, which consul-template itself refuses here; remove it');
  readSsl(nomad);
  readTransport(nomad);
  nomad.end();
  report.note('ignored', nomad.origin, 'is not asked here: a template that needs Nomad is refused');
}

export type SaidVaultClient = ReturnType<typeof readVaultClient>;

function readVaultClient(record: Record, report: Report) {
  if (readRetry(record)) {
    report.note(
      'differs',
      record.origin,
      'retry is ignored: an upstream that is away is asked again for as long as it takes, ever less often',
    );
  }
  if (readTransport(record))
    report.note('ignored', record.origin, 'transport is ignored: connections are looked after');
  record.text('client_user_agent');
  record.flag('renew_token');
  const threshold = record.float('lease_renewal_threshold');
  if (threshold !== undefined)
    report.note('differs', threshold.origin, 'is ignored: a lease is renewed at two thirds');
  const client = {
    origin: record.origin,
    address: record.text('address'),
    enabled: record.flag('enabled'),
    namespace: record.text('namespace'),
    token: record.text('token'),
    tokenFile: record.text('vault_agent_token_file'),
    unwrapToken: record.flag('unwrap_token'),
    defaultLease: record.duration('default_lease_duration'),
    kubernetesRole: record.text('k8s_auth_role_name'),
    kubernetesToken: record.text('k8s_service_account_token'),
    kubernetesTokenPath: record.text('k8s_service_account_token_path'),
    kubernetesMount: record.text('k8s_service_mount_path'),
    ssl: readSsl(record),
  };
  record.end();
  return client;
}

export type SaidSsl = Exclude<ReturnType<typeof readSsl>, undefined>;

function readSsl(owner: Record) {
  const record = owner.record('ssl');
  if (record === undefined) return undefined;
  const ssl = {
    origin: record.origin,
    enabled: record.flag('enabled'),
    verify: record.flag('verify'),
    caCert: record.text('ca_cert'),
    caBytes: record.text('ca_cert_bytes'),
    caPath: record.text('ca_path'),
    cert: record.text('cert'),
    key: record.text('key'),
    serverName: record.text('server_name'),
  };
  record.end();
  return ssl;
}

function readRetry(owner: Record): boolean {
  const record = owner.record('retry');
  if (record === undefined) return false;
  record.integer('attempts');
  record.duration('backoff');
  record.duration('max_backoff');
  record.flag('enabled');
  record.end();
  return true;
}

function readTransport(owner: Record): boolean {
  const record = owner.record('transport');
  if (record === undefined) return false;
  for (const key of ['dial_keep_alive', 'dial_timeout', 'idle_conn_timeout', 'tls_handshake_timeout'])
    record.duration(key);
  for (const key of ['max_idle_conns', 'max_idle_conns_per_host', 'max_conns_per_host']) record.integer(key);
  record.flag('disable_keep_alives');
  record.end();
  return true;
}
