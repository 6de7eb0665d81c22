// `latchkey explain NAME|FILE`: what it waits for, since when and why, what is planned, and who holds it.

import { resolve } from 'node:path';
import type { ExplainedFile, ExplainedPlace, Explanation } from '../../api/admin.ts';
import type { ListenerStatus, ProcessStatus, SecretStatus, UpstreamStatus } from '../../api/status.ts';
import { errorCode } from '../../base/errors.ts';
import { counted, timesText } from '../../base/text/counted.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { print, printJson } from '../output.ts';

interface ExplainOptions extends SocketOptions {
  subject: string;
  json: boolean;
}

export async function runExplain(options: ExplainOptions): Promise<number> {
  const explanation = await askAbout(options.subject, await socketPathOf(options));
  if (options.json) {
    printJson(explanation);
    return 0;
  }
  const { upstreams, hooks = [], secrets, files, processes, listeners, uses, used_by: users } = explanation;
  const { places = [] } = explanation;
  const lines = [
    ...upstreams
      .filter(({ name }) => name === options.subject)
      .flatMap((upstream) => [...explainUpstream(upstream), ...usersOf(users)]),
    ...secrets.flatMap((secret) =>
      explainSecret(
        secret,
        upstreams.find(({ name }) => name === secret.upstream),
      ),
    ),
    ...(hooks.length === 0 ? [] : [`  asked for at once by messages of hooks: ${hooks.join(', ')}`]),
    ...files.flatMap(explainFile),
    ...processes.flatMap(explainProcess),
  ];
  if (uses.length > 0) lines.push(`  uses ${uses.join(', ')}`);
  lines.push(...listeners.flatMap(explainListener), ...places.flatMap(explainPlace));
  for (const line of lines) print(line);
  return 0;
}

function usersOf(users: Explanation['used_by']): string[] {
  if (users === null || users.count === 0) return ['  no secret is read there'];
  const more = users.count > users.names.length ? ` and ${users.count - users.names.length} more` : '';
  return [`  read there: ${users.names.join(', ')}${more}`];
}

function explainProcess({
  name,
  state,
  since,
  pid,
  restarts,
  message,
  last_exit: exit,
}: ProcessStatus): string[] {
  const which = pid === undefined ? '' : `, pid ${pid}`;
  const lines = [
    `process ${name}: ${state}${which}${since === null ? '' : ` since ${since}`}, ${restarts} restarts`,
  ];
  if (message !== undefined) lines.push(`  ${message}`);
  if (exit !== undefined)
    lines.push(`  ended last ${exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`}`);
  const remedy = processRemedies[state];
  return remedy === undefined ? lines : [...lines, `  ${remedy}`];
}

const processRemedies: Readonly<Record<string, string>> = {
  backoff: 'it is started again by itself; what it said is in the log of the agent (event process.said)',
  failed:
    'it is left so until its values or its config change: look at what it said in the log (event process.said)',
  unhealthy: 'its probe (`health`) fails: try it by hand as the user of the process',
};

const placeWords = { hook: 'hook', token_file: 'token file', sink: 'sink' } as const;

function explainPlace({ kind, name, says }: ExplainedPlace): string[] {
  return [`${placeWords[kind]} ${name}:`, ...says.map((sentence) => `  ${sentence}`)];
}

function explainListener({ place, address, state, serve, connections, error }: ListenerStatus): string[] {
  const lines = [
    `listener ${address} (${place}): ${state}, serves ${serve.join(', ')}, ${counted(connections, 'connection')}`,
  ];
  if (error === undefined) return lines;
  return [
    ...lines,
    `  ${error}`,
    '  it is tried again with `kill -USR1` or a reload; who holds the address: `ss -lxtp`',
  ];
}

/** What is nothing's name may be a destination as seen from the folder of the caller. */
async function askAbout(subject: string, socketPath: string): Promise<Explanation> {
  const ask = createTypedClient(socketPath).explain;
  return ask(subject).catch((error: unknown) => {
    if (errorCode(error) !== 'not_found') throw error;
    return ask(resolve(subject)).catch(() => {
      throw error;
    });
  });
}

function explainSecret(secret: SecretStatus, upstream: UpstreamStatus | undefined): string[] {
  // All of a file is the path that is nothing.
  const asked = secret.key.endsWith(' ') ? `${secret.key}/` : secret.key;
  const lines = [`secret ${secret.names.join(', ') || secret.path} (${asked}): ${secret.state}`];
  const { version, obtained_at, age_seconds, expires_at, next, error } = secret;
  if (version !== null) lines.push(`  version ${version}, obtained ${obtained_at}, ${age_seconds} s ago`);
  if (secret.confirmed_at !== null) lines.push(`  upstream said so at ${secret.confirmed_at}`);
  if (expires_at !== null) lines.push(`  ends ${expires_at}`);
  lines.push(...lastValue(secret), ...costOfSecret(secret, upstream));
  if (next !== null) lines.push(`  next: ${next.action} at ${next.at}: ${next.why}`);
  if (error !== null) {
    const times = timesText(error.count);
    lines.push(`  failing since ${error.since}, ${times}: ${error.message} (${error.code})`);
  }
  for (const { consumer, version: held } of secret.consumers)
    lines.push(`  held by ${consumer}: version ${held}`);
  const [name] = secret.names;
  if (name !== undefined) lines.push(`  what its rotations did: latchkey timeline ${name}`);
  return lines;
}

/** Of a value that upstream does not confirm: until when it is handed out all the same, why, and what happens then. */
function lastValue({ state, last_value: last }: SecretStatus): string[] {
  if (last === null) return [];
  const { until, why, then } = last;
  if (state === 'expired') return [`  not handed out any more: ${why}`, `  ${then}`];
  return [`  the last value is handed out ${until === null ? 'on' : `until ${until}`}: ${why}`, `  ${then}`];
}

function explainUpstream({
  name,
  kind,
  state,
  since,
  address,
  message,
  login,
  calls,
}: UpstreamStatus): string[] {
  const lines = [`upstream ${name} (${kind}) at ${address}: ${state} since ${since}`];
  if (message !== undefined) lines.push(`  ${message}`);
  if (login !== undefined) {
    const ends = typeof login.expires_at === 'string' ? `, ends ${login.expires_at}` : '';
    lines.push(`  login: ${login.state}${login.method === undefined ? '' : ` by ${login.method}`}${ends}`);
    if (login.lost_at_stop === true)
      lines.push('  the next start cannot log in: give it a new credential before');
  }
  // Of a program, a file or the environment the message says it all: no network is between.
  const isOnHost = state === 'unavailable' && /^[/$]/.test(address);
  const remedy = isOnHost ? undefined : remedies[state];
  if (remedy !== undefined) lines.push(`  ${remedy}`);
  if (calls === undefined) return [...lines, '  asking it costs nobody anything'];
  const dollars = calls.dollars_a_day === null ? '' : `, about ${calls.dollars_a_day} USD`;
  lines.push(`  its secrets come to ${counted(calls.a_day, 'read')} a day at most${dollars}`);
  lines.push(`  asked ${timesText(calls.last_hour)} in the last hour, ${calls.last_day} in the last day`);
  for (const { limit, used, share, from } of calls.limits)
    lines.push(`  limit of ${limit} (${fromWhom[from]}): ${used} used, ${percent(share)}`);
  return lines;
}

const remedies: Readonly<Record<string, string>> = {
  sealed: 'unseal it; the agent goes on by itself',
  login_failed:
    'look at what the login is done with, and at the role there; `latchkey validate --online` tries it',
  denied: 'its policy lacks something: `latchkey validate --online` prints the lines',
  unavailable: 'it cannot be reached from here: look at the address, TLS and the network',
  rate_limited: 'it asks to be left alone for a while; raise its quota, or ask less often (`refresh`)',
};

const fromWhom = { service: 'that of the service', config: 'set in limits' } as const;

function costOfSecret({ calls_a_day: own }: SecretStatus, upstream: UpstreamStatus | undefined): string[] {
  const { calls } = upstream ?? {};
  if (own === null || calls === undefined) return [];
  const slowed = calls.slowed_to_seconds;
  const paced = slowed === null ? own : Math.ceil(86_400 / slowed);
  const part =
    calls.a_day === 0 ? '' : `, ${percent(paced / calls.a_day)} of what ${upstream?.name} is asked`;
  const instead =
    slowed === null ? '' : ` (${own} by its refresh: slowed down to one in ${slowed} s for a limit)`;
  return [`  costs ${paced} reads a day at most${part}${instead}`];
}

function percent(share: number): string {
  return `${share < 0.01 && share > 0 ? '<1' : Math.round(100 * share)} %`;
}

function explainFile(file: ExplainedFile): string[] {
  return [
    `file ${file.destination}: ${file.state} since ${file.since}`,
    ...file.why.map((sentence) => `  ${sentence}`),
    ...file.notifications.map((text) => `  notifies: ${text}`),
    ...file.secrets.map(
      ({ name, state, usedVersion, currentVersion }) =>
        `  uses ${name} (${state}): version ${usedVersion ?? 'none'} in the file, ${currentVersion ?? 'none'} now`,
    ),
    ...file.notes.map((note) => `  note: ${note}`),
    ...(file.trace.length === 0 ? [] : [`  last steps: ${file.trace.join(', ')}`]),
  ];
}
