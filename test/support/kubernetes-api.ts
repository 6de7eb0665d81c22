// A stand-in for the Kubernetes API: TokenReview alone, for service account tokens that it signed itself.
import { createServer } from 'node:http';
import { type CryptoKey, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import type { Test } from 'tap';

export interface KubernetesApi {
  readonly url: string;
  /** Reviews asked so far. */
  reviews(): number;
  /** A service account's token, as the cluster projects it into a pod. */
  issue(namespace: string, name: string, lifeSeconds?: number): Promise<string>;
}

export async function startKubernetesApi(t: Test): Promise<KubernetesApi> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  let reviews = 0;
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    if (request.url !== '/apis/authentication.k8s.io/v1/tokenreviews') {
      response.writeHead(404).end();
      return;
    }
    reviews++;
    const { spec } = JSON.parse(Buffer.concat(pieces).toString()) as { spec: { token: string } };
    const status = await review(spec.token, publicKey);
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec, status }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close().closeAllConnections());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    reviews: () => reviews,
    issue: (namespace, name, lifeSeconds = 3600) =>
      new SignJWT({ 'kubernetes.io': { namespace, serviceaccount: { name, uid: uidOf(namespace, name) } } })
        .setProtectedHeader({ alg: 'RS256' })
        .setIssuer('https://kubernetes.default.svc')
        .setSubject(`system:serviceaccount:${namespace}:${name}`)
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1000) + lifeSeconds)
        .sign(privateKey),
  };
}

async function review(token: string, publicKey: CryptoKey): Promise<object> {
  try {
    const { payload } = await jwtVerify(token, publicKey);
    const { namespace, serviceaccount } = payload['kubernetes.io'] as {
      namespace: string;
      serviceaccount: { name: string; uid: string };
    };
    const username = `system:serviceaccount:${namespace}:${serviceaccount.name}`;
    return {
      authenticated: true,
      user: { username, uid: serviceaccount.uid, groups: ['system:serviceaccounts'] },
    };
  } catch {
    return { authenticated: false, error: 'invalid token' };
  }
}

function uidOf(namespace: string, name: string): string {
  return `uid-of-${namespace}-${name}`;
}
