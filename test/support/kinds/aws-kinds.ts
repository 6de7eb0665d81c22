// AWS for the contract of sources: moto itself, and moto behind a proxy that misbehaves on demand.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type FakeAnswer, type FakeRequest, startFakeService } from '../fake-service.ts';
import { testFolder } from '../test-folder.ts';
import type { KindCase, KindFixture } from './kind-fixture.ts';
import { type Moto, motoEnv, needsMoto, startMoto } from './moto.ts';

/** One for all tests of a file: it takes seconds to start. */
let shared: Promise<Moto> | undefined;

export function sharedMoto(t: Test): Promise<Moto> {
  shared ??= startMoto(t);
  return shared;
}

let runs = 0;

async function behindProxy(t: Test, root: Test, timeout: string) {
  const moto = await sharedMoto(root);
  const denied = new Set<string>();
  const credentials = join(testFolder(t), 'credentials');
  let key = 'AKIAONE';
  const writeKey = () =>
    writeFileSync(
      credentials,
      `[default]\naws_access_key_id = ${key}\naws_secret_access_key = canary-5f1d-key\n`,
      { mode: 0o600 },
    );
  writeKey();
  const service = await startFakeService(t, async (request) => {
    const { host, connection, ...headers } = request.headers;
    const who = /Credential=(\w+)\//.exec(headers.authorization ?? '')?.[1];
    if (who !== key) return { status: 400, json: { __type: 'ExpiredTokenException' } };
    const refusal = refusalOf(request, denied);
    if (refusal !== undefined) return refusal;
    const answer = await fetch(`${moto.address}${request.url}`, {
      method: request.method,
      headers: headers as Record<string, string>,
      ...(request.body === '' ? {} : { body: request.body }),
    });
    return {
      status: answer.status,
      text: Buffer.from(await answer.arrayBuffer()),
      headers: { 'x-amzn-errortype': answer.headers.get('x-amzn-errortype') ?? '' },
    };
  });
  runs += 1;
  return {
    moto,
    service,
    prefix: `t${runs}-`,
    config: { kind: 'aws', endpoint: service.address, credentials_file: credentials, timeout },
    env: { AWS_REGION: motoEnv.AWS_REGION },
    denied,
    expireLogin() {
      key = 'AKIATWO';
      writeKey();
    },
  };
}

/** moto has no policies that it would keep. A batch with one that is denied is denied: then each is asked for alone. */
function refusalOf({ body }: FakeRequest, denied: ReadonlySet<string>): FakeAnswer | undefined {
  const isDenied = [...denied].some((name) => body.includes(JSON.stringify(name)));
  return isDenied
    ? { status: 400, json: { __type: 'AccessDeniedException', Message: 'canary-5f1d' } }
    : undefined;
}

export function awsKinds(root: Test): readonly KindCase[] {
  return [
    {
      kind: 'aws (secrets)',
      skip: needsMoto,
      async start(t, { timeout = '20s' } = {}): Promise<KindFixture> {
        const { moto, prefix, denied, ...rest } = await behindProxy(t, root, timeout);
        const known = new Set<string>();
        const write = async (name: string, content: object) => {
          const id = `${prefix}${name}`;
          await moto.call(
            'secretsmanager',
            known.has(id) ? 'PutSecretValue' : 'CreateSecret',
            known.has(id) ? { SecretId: id, ...content } : { Name: id, ...content },
          );
          known.add(id);
          return id;
        };
        return {
          ...rest,
          largest: 65_536,
          hasBinary: true,
          hasUnicodeNames: false,
          isPushed: false,
          put: (name, value) =>
            write(
              name,
              typeof value === 'string'
                ? { SecretString: value }
                : { SecretBinary: value.toString('base64') },
            ),
          putFields: (name, fields) => write(name, { SecretString: JSON.stringify(fields) }),
          async remove(name) {
            await moto.call('secretsmanager', 'DeleteSecret', {
              SecretId: `${prefix}${name}`,
              ForceDeleteWithoutRecovery: true,
            });
          },
          deny: (name) => void denied.add(`${prefix}${name}`),
          alias: (path) => `secretsmanager:${path}`,
        };
      },
    },
    {
      kind: 'aws (parameters)',
      skip: needsMoto,
      async start(t, { timeout = '20s' } = {}): Promise<KindFixture> {
        const { moto, prefix, denied, ...rest } = await behindProxy(t, root, timeout);
        return {
          ...rest,
          largest: 4096,
          hasBinary: false,
          hasUnicodeNames: false,
          isPushed: false,
          async put(name, value) {
            const body = {
              Name: `/${prefix}/${name}`,
              Value: value.toString(),
              Type: 'SecureString',
              Overwrite: true,
            };
            await moto.call('ssm', 'PutParameter', body);
            return `ssm:/${prefix}/${name}`;
          },
          async remove(name) {
            await moto.call('ssm', 'DeleteParameter', { Name: `/${prefix}/${name}` });
          },
          deny: (name) => void denied.add(`/${prefix}/${name}`),
        };
      },
    },
  ];
}
