// Every kind that is reached over HTTP goes through the proxy of its config.
import t from 'tap';
import { startKindSource } from '../../support/kind-source.ts';
import { awsKinds } from '../../support/kinds/aws-kinds.ts';
import { azureKind, gcpKind, onepasswordKind } from '../../support/kinds/cloud-kinds.ts';
import { httpKind } from '../../support/kinds/http-kind.ts';
import { kubernetesKind } from '../../support/kinds/kubernetes-kind.ts';
import { startProxy } from '../../support/start-proxy.ts';

for (const kind of [
  httpKind,
  kubernetesKind,
  gcpKind,
  azureKind,
  onepasswordKind,
  ...awsKinds(t).slice(0, 1),
]) {
  t.test(`${kind.kind}: asks through it, and nobody beside it`, { skip: kind.skip ?? false }, async (t) => {
    const fixture = await kind.start(t);
    const proxy = await startProxy(t);
    const { fields, source } = await startKindSource(
      t,
      { ...fixture.config, proxy: proxy.address },
      fixture.env === undefined ? {} : { env: fixture.env },
    );
    await source.ready(AbortSignal.timeout(60_000));
    const put = (name: string, value: string) =>
      fixture.putFields?.(name, { value }) ?? fixture.put(name, value);
    t.match(await fields(await put('app', 'through')), { value: 'through' });
    t.ok(proxy.asked.length > 0);
    await proxy.close();
    await t.rejects(fields(await put('other', 'not')), /the proxy http/);
  });
}
