// Runs a piece of JavaScript as another user, where the tests run as root.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

export const nobody = 65_534;

/** Runs `script` with `node --input-type=module`; resolves to what it printed. Rejects when it fails. */
export function runAs(uid: number, script: string, args: readonly string[] = []): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, ...args], {
    uid,
    gid: uid,
    cwd: '/',
    timeout: 120_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  child.on('error', reject);
  child.on('close', (code) => {
    if (code === 0) resolve(output);
    else reject(new Error(`exit ${code}: ${errors}`));
  });
  return promise;
}

/** Prints status and body of one GET: arguments are the socket's path and the request's path. */
export const getScript = `
  import { request } from 'node:http';
  const [socketPath, path] = process.argv.slice(1);
  request({ socketPath, path, headers: { host: 'localhost' } }, (answer) => {
    let text = '';
    answer.on('data', (chunk) => { text += chunk; });
    answer.on('end', () => console.log(answer.statusCode + ' ' + text.trim()));
  }).end();
`;

/** Uids that no account of a host has, for attacks by one user on another. */
export const [attacker, stranger] = [61_001, 61_002] as const;

/** Runs a shell script as another user, by setpriv(1): no groups, no rights of root. Resolves to what it printed. */
export function shellAs(uid: number, script: string): Promise<string> {
  const who = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all'];
  return promisify(execFile)('setpriv', [...who, 'sh', '-euc', script], { cwd: '/', timeout: 120_000 }).then(
    ({ stdout }) => stdout,
  );
}

/** What users of their own need; for tap's `skip`. */
export const needsOtherUsers =
  process.getuid?.() === 0 && existsSync('/usr/bin/setpriv') ? false : 'needs root and setpriv';
