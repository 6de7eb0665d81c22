// Method `kerberos`: a ticket by a keytab, shown to Vault as SPNEGO's token in the header `Authorization`.
import { join } from 'node:path';
import { describeError, LatchkeyError } from '../../../../base/errors.ts';
import { readControlledFile, TrustFault } from '../../../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../../../base/paths/path-trust.ts';
import { harmlessEnvironment } from '../../../../base/system/harmless-environment.ts';
import { isJsonObject, parseJson } from '../../../../base/text/json.ts';
import { trustFault } from '../../../../config/resolve/check-modes.ts';
import { runProgram } from '../../../exec/run-program.ts';
import type { AuthConfig } from '../../config/vault-config.ts';
import type { AuthContext, AuthMethod } from '../auth-method.ts';
import type { KerberosJob } from './kerberos-token.ts';

type KerberosConfig = Extract<AuthConfig, { method: 'kerberos' }>;

/** Of libkrb5's own patience with KDCs that do not answer. */
const timeoutMs = 30_000;
const mostBytes = 256 * 1024;

export function createKerberosMethod(config: KerberosConfig, context: AuthContext): AuthMethod {
  const { keytabFile, krb5ConfFile, username, service, realm } = config;
  const inRealm = (name: string): string => (name.includes('@') ? name : `${name}@${realm}`);
  return {
    files: [keytabFile],
    async credentials(signal) {
      const token = await tokenOf(
        {
          principal: inRealm(username),
          service: inRealm(service),
          keytab: await base64Of('auth.keytab', keytabFile, { faultOf: context.faultOf }),
          // It may name libraries to load: judged also where modes are not strict.
          krb5Conf: await base64Of('auth.krb5_conf', krb5ConfFile, {
            faultOf: trustFault,
            role: 'configuration of Kerberos',
          }),
        },
        context,
        signal,
      );
      return { kind: 'login', path: 'login', body: {}, headers: { authorization: `Negotiate ${token}` } };
    },
  };
}

async function base64Of(
  key: string,
  path: string,
  judging: Parameters<typeof readControlledFile>[1],
): Promise<string> {
  try {
    return (await readControlledFile(path, judging)).bytes.toString('base64');
  } catch (error) {
    if (error instanceof TrustFault)
      throw new LatchkeyError('login_failed', `${key}: ${error.message}`, { cause: error });
    throw failure(
      `${key}: ${path} cannot be read (${pathErrorText(error)})`,
      `put the file there, or set ${key}`,
    );
  }
}

async function tokenOf(job: KerberosJob, { env, clock }: AuthContext, signal: AbortSignal): Promise<string> {
  const isBuilt = import.meta.filename.endsWith('.js');
  const { stdout, code } = await runProgram({
    command: [
      process.execPath,
      '--disable-sigusr1',
      join(import.meta.dirname, `kerberos-token.${isBuilt ? 'js' : 'ts'}`),
    ],
    input: JSON.stringify(job),
    env: harmlessEnvironment(env),
    workingDir: '/',
    uid: undefined,
    gid: undefined,
    timeoutMs,
    maxBytes: mostBytes,
    clock,
    signal,
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw failure(
      `no token of Kerberos: ${describeError(error)}`,
      'check krb5.conf and that its KDCs answer',
    );
  });
  const { token, error } = answerOf(stdout);
  if (typeof token === 'string' && token !== '') return token;
  throw failure(
    `no token of Kerberos: ${typeof error === 'string' ? error : `the program for it ended with ${code}`}`,
    'check username, realm, service and keytab, and that the KDCs of krb5.conf answer',
  );
}

function answerOf(stdout: Buffer): { readonly token?: unknown; readonly error?: unknown } {
  try {
    const answer = parseJson(stdout.toString('utf8'));
    return isJsonObject(answer) ? answer : {};
  } catch {
    // It may have been cut in the token.
    return {};
  }
}

function failure(message: string, remedy: string): LatchkeyError {
  return new LatchkeyError('login_failed', message, { remedy });
}
