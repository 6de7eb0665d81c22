// A KDC of MIT Kerberos on loopback with a realm of its own, and the judge of the tokens that its tickets make: Python's gssapi, as
// a server that has the service's keytab.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { missing } from './missing.ts';
import { testFolder } from './test-folder.ts';

export interface TestKdc {
  readonly realm: string;
  readonly folder: string;
  readonly krb5Conf: string;
  /** A new principal and the file with its keys. */
  keytab(principal: string): string;
  /** The client that a token names, where the keytab of the service opens it; throws what is wrong with it. */
  clientOf(token: string, keytab: string): string;
  stop(): Promise<void>;
}

const python = '/usr/bin/python3';
const sbin = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };

export const missingKdc =
  missing('krb5-kdc', ['/usr/bin/env', 'test', '-x', '/usr/sbin/krb5kdc']) ||
  missing('krb5-admin-server', ['/usr/bin/env', 'test', '-x', '/usr/sbin/kadmin.local']) ||
  missing('python3-gssapi', [python, '-c', 'import gssapi']);

const judge = `
import base64, gssapi, sys
context = gssapi.SecurityContext(usage='accept')
context.step(base64.b64decode(sys.stdin.read()))
print(context.initiator_name)
`;

export async function startKdc(t: Test): Promise<TestKdc> {
  const folder = testFolder(t);
  const realm = 'LATCHKEY.TEST';
  const port = await freePort();
  const at = (name: string): string => join(folder, name);
  writeFileSync(
    at('krb5.conf'),
    `[libdefaults]\n default_realm = OTHER.TEST\n dns_lookup_kdc = false\n rdns = false\n[realms]\n ${realm} = {\n  kdc = 127.0.0.1:${port}\n }\n`,
  );
  writeFileSync(
    at('kdc.conf'),
    `[kdcdefaults]\n kdc_listen = 127.0.0.1:${port}\n kdc_tcp_listen = 127.0.0.1:${port}\n[realms]\n ${realm} = {\n  database_name = ${at('db')}\n  key_stash_file = ${at('stash')}\n  acl_file = ${at('acl')}\n }\n[logging]\n kdc = FILE:${at('log')}\n`,
  );
  const env = { ...sbin, KRB5_CONFIG: at('krb5.conf'), KRB5_KDC_PROFILE: at('kdc.conf') };
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { env, stdio: 'pipe' });
  run('kdb5_util', '-r', realm, 'create', '-s', '-P', 'master');
  const kdc = spawn('krb5kdc', ['-n', '-r', realm, '-P', at('pid')], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => kdc.once('exit', resolve));
  const stop = async (): Promise<void> => {
    kdc.kill();
    await ended;
  };
  t.teardown(stop);
  return {
    realm,
    folder,
    krb5Conf: at('krb5.conf'),
    keytab(principal) {
      const file = at(`${principal.replaceAll('/', '_')}.keytab`);
      run('kadmin.local', '-r', realm, 'addprinc', '-randkey', `${principal}@${realm}`);
      run('kadmin.local', '-r', realm, 'ktadd', '-k', file, `${principal}@${realm}`);
      return file;
    },
    clientOf(token, keytab) {
      const service = { ...env, KRB5_KTNAME: `FILE:${keytab}`, KRB5RCACHENAME: 'none:' };
      return execFileSync(python, ['-c', judge], {
        env: service,
        input: token,
        encoding: 'utf8',
        stdio: 'pipe',
      }).trim();
    },
    stop,
  };
}
