// A real nginx whose certificate and key are rotated through the file pipeline, under a client that connects in a loop.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { Test } from 'tap';
import { freePort } from '../../src/base/system/free-port.ts';
import { createAuthority } from './certificates.ts';
import { missing } from './missing.ts';
import { createRenderFixture } from './render-fixture.ts';
import { waitFor } from './wait-for.ts';

export interface NginxReport {
  readonly handshakes: number;
  /** Different certificates that clients saw. */
  readonly certificates: number;
  readonly errors: readonly string[];
}

const webServer = 'nginx';

/** Why this machine cannot run it; for tap's `skip`. */
export const nginxMissing = (): string | false =>
  missing(webServer, [webServer, '-v']) || missing('openssl', ['openssl', 'version']);

export async function rotateUnderNginx(t: Test, rotations: number): Promise<NginxReport> {
  const f = createRenderFixture(t, ['tls']);
  const authority = await createAuthority();
  const port = await freePort();
  writeFileSync(f.path('nginx.conf'), nginxConf(f.folder, port));
  mkdirSync(f.path('tmp'));
  const key = f.path('tls.key');
  const pair = `test "$(openssl x509 -pubkey -noout -in {staged})" = "$(openssl pkey -pubout -in {staged:${key}})"`;
  const pipeline = f.createPipeline([
    f.file('tls.crt', '{{ field "tls" "cert" }}', {
      set: 'tls',
      check: { command: ['sh', '-c', pair], timeoutMs: 10_000 },
      notify: [{ kind: 'signal', signal: 'SIGHUP', pidFile: f.path('nginx.pid') }],
    }),
    f.file('tls.key', '{{ field "tls" "key" }}', { set: 'tls' }),
  ]);
  pipeline.start();
  await pipeline.idle();
  f.publish('tls', { ...(await authority.issue()) });
  await waitFor('the first pair', () => f.committed.length === 2);
  const nginx = spawn(webServer, ['-p', f.folder, '-c', f.path('nginx.conf')], { stdio: 'ignore' });
  t.teardown(async () => {
    if (nginx.exitCode !== null) return;
    nginx.kill('SIGTERM');
    await once(nginx, 'exit');
  });
  await waitFor('nginx', () => handshake(port, authority.cert).then(Boolean, () => false));

  const seen = new Set<string>();
  const errors: string[] = [];
  let [handshakes, isRotating] = [0, true];
  const client = (async () => {
    while (isRotating) {
      try {
        seen.add(await handshake(port, authority.cert));
        handshakes += 1;
      } catch (error) {
        errors.push(error instanceof Error ? error.message : String(error));
      }
    }
  })();
  let last = '';
  for (let rotation = 0; rotation < rotations; rotation += 1) {
    const fresh = await authority.issue({ commonName: `rotation ${rotation}` });
    last = fresh.cert;
    f.publish('tls', { ...fresh });
    await pipeline.idle();
    await waitFor('the rotation', () => pipeline.status().every(({ state }) => state === 'current'));
  }
  await waitFor('the last certificate', async () => {
    return (await handshake(port, authority.cert)) === fingerprint(last);
  });
  isRotating = false;
  await client;
  return { handshakes, certificates: seen.size, errors };
}

/** The certificate that was shown; rejects unless it fits its key and is signed by the authority. */
export function handshake(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca }, () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      resolve(raw.toString('base64'));
    });
    socket.on('error', reject);
  });
}

function fingerprint(pem: string): string {
  return pem.replaceAll(/-----[^-]+-----|\s/g, '');
}

export function nginxConf(folder: string, port: number): string {
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${folder}/tmp; proxy_temp_path ${folder}/tmp; fastcgi_temp_path ${folder}/tmp;
  uwsgi_temp_path ${folder}/tmp; scgi_temp_path ${folder}/tmp;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/tls.crt;
    ssl_certificate_key ${folder}/tls.key;
    return 204;
  }
}
`;
}
