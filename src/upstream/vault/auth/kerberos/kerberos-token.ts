// The program that makes one token of Kerberos: it reads what is wanted from stdin and prints the token, or what is wrong. A process
// of its own, since libkrb5 takes its configuration from the environment alone and waits for KDCs as long as it likes.
import { writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { endWithParent, hardenProcess } from '../../../../base/system/harden-process.ts';
import { memfdCreate } from '../../../../base/system/libc.ts';
import { type SpnegoRequest, spnegoToken } from './gssapi.ts';

/** The files come as their bytes: whoever asks has looked whose they are. */
export interface KerberosJob extends Omit<SpnegoRequest, 'keytab'> {
  /** Base64. */
  readonly keytab: string;
  readonly krb5Conf: string;
}

/** One of them. */
export interface KerberosResult {
  /** Base64. */
  readonly token?: string;
  readonly error?: string;
}

function run(job: string): KerberosResult {
  try {
    const { keytab, krb5Conf, ...names } = JSON.parse(job) as KerberosJob;
    process.env['KRB5_CONFIG'] = inMemory('krb5.conf', krb5Conf);
    const token = spnegoToken({ ...names, keytab: `FILE:${inMemory('keytab', keytab)}` });
    return { token: token.toString('base64') };
  } catch (error) {
    return { error: error instanceof Error ? error.message : 'unknown fault' };
  }
}

/** The path of a file that no disk has. */
function inMemory(name: string, base64: string): string {
  const fd = memfdCreate(name, 0);
  if (fd < 0) throw new Error('this kernel gives no files in memory (memfd_create)');
  const bytes = Buffer.from(base64, 'base64');
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  return `/proc/self/fd/${fd}`;
}

// Before it has a key in its memory, and waits for a KDC with it.
hardenProcess();
endWithParent();
process.stdout.write(JSON.stringify(run(await text(process.stdin))));
