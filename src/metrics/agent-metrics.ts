// Every metric of the agent by name: docs/reference/metrics.md lists the same (a test compares). Whoever does the work
// counts it; agent/wire.ts hands each part the families that it needs.
import type { MetricsRegistry } from './registry.ts';

export type AgentMetrics = ReturnType<typeof defineAgentMetrics>;

export function defineAgentMetrics(registry: MetricsRegistry) {
  return {
    ...defineAgent(registry),
    ...defineSecrets(registry),
    ...defineUpstreams(registry),
    ...defineConsumers(registry),
    ...defineServing(registry),
  };
}

function defineAgent(registry: MetricsRegistry) {
  return {
    buildInfo: registry.gauge('latchkey_build_info', 'Always 1; the version is in the label.', ['version']),
    startTimeSeconds: registry.gauge(
      'latchkey_start_time_seconds',
      'When the agent started, in seconds since 1970.',
    ),
    residentMemoryBytes: registry.gauge('latchkey_resident_memory_bytes', 'Resident memory of the agent.'),
    logLevel: registry.gauge(
      'latchkey_log_level',
      'What is logged at least, as the number of its lines: 20 debug, 30 info, 40 warn, 50 error.',
    ),
    isReady: registry.gauge('latchkey_ready', '1 when /readyz answers 200, else 0.'),
    telemetryPushes: registry.counter(
      'latchkey_telemetry_pushes_total',
      'Times that the metrics were sent to a collector.',
      ['outcome'],
    ),
    reloads: registry.counter('latchkey_reloads_total', 'Reloads of the configuration.', ['outcome']),
  };
}

function defineSecrets(registry: MetricsRegistry) {
  return {
    secretState: registry.gauge('latchkey_secret_state', '1 for the state that the secret is in, else 0.', [
      'name',
      'state',
    ]),
    secretAgeSeconds: registry.gauge(
      'latchkey_secret_age_seconds',
      'Seconds since the current version was obtained.',
      ['name'],
    ),
    secretExpirySeconds: registry.gauge(
      'latchkey_secret_expiry_seconds',
      'Seconds until the current version ends; absent where it does not.',
      ['name'],
    ),
    secretRotations: registry.counter('latchkey_secret_rotations_total', 'Changes of data after the first.', [
      'name',
    ]),
    secretErrors: registry.counter('latchkey_secret_errors_total', 'Failed tries to obtain or renew.', [
      'name',
      'code',
    ]),
    leases: registry.gauge('latchkey_leases', 'Leases that the agent answers for.', ['state']),
  };
}

function defineUpstreams(registry: MetricsRegistry) {
  return {
    upstreamUp: registry.gauge('latchkey_upstream_up', '1 when logged in and answering, else 0.', [
      'upstream',
    ]),
    upstreamRequests: registry.counter(
      'latchkey_upstream_requests_total',
      'Requests that were sent to an upstream, logins, looks at its health and what is passed on included.',
      ['upstream', 'outcome'],
    ),
    upstreamSeconds: registry.histogram(
      'latchkey_upstream_request_seconds',
      'Time of a request to an upstream, with its wait for the budget.',
      ['upstream'],
    ),
    upstreamCalls: registry.gauge('latchkey_upstream_calls_day', 'Requests of the last 24 hours.', [
      'upstream',
    ]),
    upstreamLimit: registry.gauge(
      'latchkey_upstream_limit_used',
      'What is used of a limit in the time that it is for, as a share of it.',
      ['upstream', 'limit'],
    ),
    upstreamLogins: registry.counter('latchkey_upstream_logins_total', 'Logins that an upstream answered.', [
      'upstream',
      'outcome',
    ]),
  };
}

function defineConsumers(registry: MetricsRegistry) {
  return {
    filesWritten: registry.counter('latchkey_file_writes_total', 'Files committed with other bytes.', [
      'destination',
    ]),
    fileDrifts: registry.counter(
      'latchkey_file_drifts_total',
      'Files that somebody else deleted or changed: destinations, FIFOs, sockets and token files.',
      ['destination', 'what'],
    ),
    fileFailures: registry.counter('latchkey_file_failures_total', 'Failed steps of files.', [
      'destination',
      'step',
    ]),
    fileUpToDate: registry.gauge(
      'latchkey_file_up_to_date',
      '1 when the file holds the current versions, else 0.',
      ['destination'],
    ),
    rotationSeconds: registry.histogram(
      'latchkey_rotation_seconds',
      'From the change in the store to the file committed and its programs notified.',
    ),
    rotationStepSeconds: registry.histogram(
      'latchkey_rotation_step_seconds',
      'Time of each step of a rotation since the one before; of reads and of letting go since the new version was here.',
      ['step'],
    ),
    processUp: registry.gauge('latchkey_process_up', '1 when the supervised process runs, else 0.', [
      'process',
    ]),
    processStarts: registry.counter('latchkey_process_starts_total', 'Starts of a supervised process.', [
      'process',
      'reason',
    ]),
  };
}

function defineServing(registry: MetricsRegistry) {
  return {
    requests: registry.counter('latchkey_requests_total', 'Requests answered by listeners.', [
      'dialect',
      'status',
    ]),
    requestSeconds: registry.histogram(
      'latchkey_request_seconds',
      'Time from the headers of a request to its answer, audit included; without those that waited.',
      ['dialect'],
    ),
    vaultCache: registry.counter(
      'latchkey_vault_cache_total',
      'Answers of the Vault dialect that could come from memory: `hit` when they did, else `miss`.',
      ['result'],
    ),
    denials: registry.counter('latchkey_denials_total', 'Requests refused, by why.', ['why']),
    hookEvents: registry.counter('latchkey_hook_messages_total', 'Messages that came to hooks.', [
      'hook',
      'outcome',
    ]),
    connections: registry.gauge('latchkey_connections', 'Open connections.', ['listener']),
    connectionsRefused: registry.counter(
      'latchkey_connections_refused_total',
      'Connections refused: the listener had its fill, or who has no rule connects too often.',
      ['listener'],
    ),
    malformedRequests: registry.counter(
      'latchkey_malformed_requests_total',
      'Requests cut for their form, size or slowness.',
      ['listener'],
    ),
    openWaits: registry.gauge('latchkey_open_waits', 'Requests that wait for a change.'),
    openEventStreams: registry.gauge('latchkey_open_event_streams', 'Open /events streams.'),
    auditLines: registry.counter('latchkey_audit_lines_total', 'Lines written to the audit file.'),
    auditFailures: registry.counter('latchkey_audit_failures_total', 'Lines that could not be written.'),
    ledgerRecords: registry.gauge('latchkey_ledger_records', 'Versions known to be held by callers.'),
  };
}
