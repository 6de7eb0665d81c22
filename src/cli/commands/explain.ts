// `latchkey explain NAME|FILE`: what it waits for, since when and why, what is planned, and who holds it.
import { resolve } from 'node:path';
import type { ExplainedFile, Explanation } from '../../api/admin.ts';
import type { SecretStatus } from '../../api/status.ts';
import { errorCode } from '../../base/errors.ts';
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
  const { secrets, files, processes } = explanation;
  const lines = [
    ...secrets.flatMap(explainSecret),
    ...files.flatMap(explainFile),
    ...processes.map(({ name, state, pid, restarts, message }) => {
      const which = pid === undefined ? '' : `, pid ${pid}`;
      return `process ${name}: ${state}${which}, ${restarts} restarts${message === undefined ? '' : `: ${message}`}`;
    }),
  ];
  for (const line of lines) print(line);
  return 0;
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

function explainSecret(secret: SecretStatus): string[] {
  const lines = [`secret ${secret.names.join(', ') || secret.path} (${secret.key}): ${secret.state}`];
  const { version, obtained_at, age_seconds, expires_at, next, error } = secret;
  if (version !== null) lines.push(`  version ${version}, obtained ${obtained_at}, ${age_seconds} s ago`);
  if (expires_at !== null) lines.push(`  ends ${expires_at}`);
  if (next !== null) lines.push(`  next: ${next.action} at ${next.at}: ${next.why}`);
  if (error !== null) {
    lines.push(`  failing since ${error.since}, ${error.count} times: ${error.message} (${error.code})`);
  }
  for (const { consumer, version: held } of secret.consumers)
    lines.push(`  held by ${consumer}: version ${held}`);
  return lines;
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
