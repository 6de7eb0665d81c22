// `latchkey explain NAME|FILE`: what it waits for, since when and why, what is planned, and who holds it.

import type { SecretStatus } from '../../agent/secret-status.ts';
import type { AgentStatus } from '../../agent/status.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { askAgentOrThrow } from '../local-client.ts';

interface ExplainOptions extends SocketOptions {
  subject: string;
  json: boolean;
}

export async function runExplain(options: ExplainOptions): Promise<number> {
  const answer = await askAgentOrThrow({ socketPath: await socketPathOf(options), path: '/status' });
  const status = JSON.parse(answer.body.toString('utf8')) as AgentStatus;
  const { subject } = options;
  const secrets = status.secrets.filter(
    (one) => one.names.includes(subject) || one.path === subject || one.key === subject,
  );
  const files = status.files.filter((one) => one.destination === subject);
  const processes = status.processes.filter((one) => one.name === subject);
  if (secrets.length + files.length + processes.length === 0) {
    throw new LatchkeyError('not_found', `no secret, file or process is named ${subject}`, {
      remedy: 'see latchkey status',
    });
  }
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ secrets, files, processes })}\n`);
    return 0;
  }
  const lines = [
    ...secrets.flatMap(explainSecret),
    ...files.flatMap((file) => explainFields(`file ${file.destination}`, file)),
    ...processes.flatMap((one) => explainFields(`process ${one.name}`, one)),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

function explainSecret(secret: SecretStatus): string[] {
  const lines = [
    `secret ${secret.names.join(', ') || secret.path} (${secret.key})`,
    `  state: ${secret.state}`,
  ];
  if (secret.version !== null)
    lines.push(`  version ${secret.version}, obtained ${secret.obtained_at}, ${secret.age_seconds} s ago`);
  if (secret.expires_at !== null) lines.push(`  ends ${secret.expires_at}`);
  if (secret.next !== null)
    lines.push(`  next: ${secret.next.action} at ${secret.next.at}, because ${secret.next.why}`);
  if (secret.error !== null) {
    lines.push(
      `  failing since ${secret.error.since}, ${secret.error.count} times: ${secret.error.message} (${secret.error.code})`,
    );
  }
  for (const { consumer, version } of secret.consumers)
    lines.push(`  held by ${consumer}: version ${version}`);
  return lines;
}

/** What the part itself tells, one field a line, nested ones indented. */
function explainFields(title: string, fields: object): string[] {
  const lines = [title];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue;
    if (Array.isArray(value))
      lines.push(
        `  ${key}:`,
        ...value.map((item) => `    ${typeof item === 'object' ? describe(item) : String(item)}`),
      );
    else lines.push(`  ${key}: ${typeof value === 'object' ? describe(value) : String(value)}`);
  }
  return lines;
}

function describe(item: object): string {
  return Object.entries(item)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
}
