import t from 'tap';
import { SecretValue } from '../../../../src/base/secret-value.ts';
import { createReference } from '../../../../src/store/reference.ts';
import type { SecretAnswer } from '../../../../src/store/secret-version.ts';
import type { Mount } from '../../../../src/upstream/vault/secrets/kv-path-policy.ts';
import {
  howToReplace,
  revocationOf,
  whyOutlives,
} from '../../../../src/upstream/vault/secrets/revocation-policy.ts';

const serial = '1d:2e:3f';

function answerOf(body: object, more: Partial<SecretAnswer> = {}): SecretAnswer {
  const content = { form: 'vault', body: SecretValue.fromText(JSON.stringify(body)), shape: 'flat' } as const;
  return { content, kind: 'expiring', dataDigest: '', ...more };
}

const ask = (path: string, body: object, mount?: Mount) =>
  revocationOf(createReference({ upstream: 'v', path, operation: 'write' }), mount, answerOf(body));

const pki = (prefix: string): Mount => ({ prefix, kvVersion: 0, type: 'pki' });

t.test('a certificate at the mount that made it, wherever that is and whether it is known', async (t) => {
  const data = { serial_number: serial, private_key: '-----BEGIN PRIVATE KEY-----' };
  const paths: [string, Mount | undefined, string][] = [
    ['pki/issue/web', pki('pki/'), 'pki/'],
    ['pki/issue/web', undefined, 'pki/'],
    ['team/deep/pki/issuer/new/issue/web', undefined, 'team/deep/pki/'],
    ['team/deep/pki/issuer/new/issue/web', pki('team/deep/pki/'), 'team/deep/pki/'],
    ['pki/sign-verbatim/web', undefined, 'pki/'],
    ['issue/issue/web', pki('issue/'), 'issue/'],
  ];
  for (const [path, mount, prefix] of paths) {
    t.match(
      ask(path, { data }, mount),
      {
        how: 'asked',
        steps: [
          { path: `${prefix}revoke-with-key`, bodies: [{ serial_number: serial }] },
          { path: `${prefix}revoke`, bodies: [{ serial_number: serial }] },
        ],
      },
      path,
    );
  }
  const keyless = ask('pki/sign/web', { data: { serial_number: serial } });
  t.match(keyless, { steps: [{ path: 'pki/revoke' }] });
});

t.test('a number of another engine is none of a certificate', async (t) => {
  const ssh = { prefix: 'ssh/', kvVersion: 0, type: 'ssh' } as const;
  const signed = { serial_number: '23493d9efb53c519', signed_key: 'ssh-ed25519-cert-v01@openssh.com AAAA' };
  t.match(ask('ssh/sign/host', { data: signed }, ssh), {
    how: 'none',
    why: /add its serial number 23493d9efb53c519 to the RevokedKeys/,
  });
  t.match(ask('transit/issue/x', { data: { serial_number: serial } }, { ...ssh, type: 'transit' }), {
    how: 'none',
    why: /no request that takes back what "transit\/issue\/x" made/,
  });
});

t.test('a token in the namespace that it was made in', async (t) => {
  const auth = { client_token: 'hvs.x', accessor: 'acc' };
  for (const [path, at] of [
    ['auth/token/create', 'auth/token/revoke-accessor'],
    ['team/sub/auth/token/create/role', 'team/sub/auth/token/revoke-accessor'],
    ['auth/userpass/login/anna', 'auth/token/revoke-accessor'],
  ] as const)
    t.strictSame(ask(path, { auth }), { how: 'asked', steps: [{ path: at, bodies: [{ accessor: 'acc' }] }] });
  const batch = { client_token: 'hvb.x', accessor: '' };
  t.match(ask('auth/token/create', { auth: batch }), { how: 'none', why: /a batch token cannot be revoked/ });
});

t.test('a wrapping, and what is in it', async (t) => {
  const wrapped = { token: 'hvs.w', accessor: 'outer', wrapped_accessor: 'inner' };
  t.match(ask('auth/token/create', { wrap_info: wrapped }), {
    how: 'asked',
    steps: [{ bodies: [{ accessor: 'inner' }] }],
  });
  t.match(ask('auth/approle/role/app/secret-id', { wrap_info: { token: 'hvs.w', accessor: 'outer' } }), {
    how: 'asked',
    steps: [{ bodies: [{ accessor: 'outer' }] }],
    whyIfGone: /opened already/,
  });
});

t.test('what no vault takes back, with what helps', async (t) => {
  const jwt = 'a.b.c';
  t.match(ask('identity/oidc/token/app', { data: { token: jwt } }), { how: 'none', why: /rotate the key/ });
  const session = { access_key: 'a', secret_key: 'b', security_token: 'c' };
  t.match(ask('aws/sts/app', { data: session }), { how: 'none', why: /aws:TokenIssueTime/ });
  const lease = { id: 'aws/sts/app/1', durationSeconds: 60, isRenewable: false };
  t.match(whyOutlives(answerOf({ data: session }, { lease })), /aws:TokenIssueTime/, 'whatever its lease');
  t.equal(whyOutlives(answerOf({ data: { ...session, security_token: null } }, { lease })), undefined);
});

t.test('what another value comes of', async (t) => {
  const version = { number: 1, obtainedAt: 0, expiresAt: undefined };
  const reference = (path: string) => createReference({ upstream: 'v', path });
  const mount = (prefix: string, type: string): Mount => ({ prefix, kvVersion: 0, type });
  const rotating = { ...answerOf({ data: {} }, { kind: 'rotating' }), ...version };
  t.match(
    howToReplace(reference('team/db/static-creds/reporter'), mount('team/db/', 'database'), rotating),
    /`vault write -f team\/db\/rotate-role\/reporter`/,
  );
  t.match(
    howToReplace(reference('ldap/static-cred/svc'), mount('ldap/', 'ldap'), rotating),
    /`vault write -f ldap\/rotate-role\/svc`/,
  );
  const stored = { ...answerOf({ data: {} }, { kind: 'static', versionId: '7' }), ...version };
  const kv2 = { ...stored, content: { ...stored.content, shape: 'kv2' } } as typeof stored;
  t.equal(
    howToReplace(reference('secret/app'), undefined, kv2),
    'write another value to "secret/app"; of a leaked one destroy version 7 then',
  );
  t.equal(howToReplace(reference('kv/app'), undefined, stored), 'write another value to "kv/app"');
});
