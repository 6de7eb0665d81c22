// Metrics at a local collector: what it gets against what /metrics says; away, back, moved and switched off by reloads.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Point {
  attributes: { key: string; value: { stringValue: string } }[];
  asDouble?: number;
  count?: string;
  bucketCounts?: string[];
  explicitBounds?: number[];
  timeUnixNano: string;
  startTimeUnixNano: string;
}
interface Metric {
  name: string;
  unit: string;
  gauge?: { dataPoints: Point[] };
  sum?: { dataPoints: Point[]; isMonotonic: boolean; aggregationTemporality: number };
  histogram?: { dataPoints: Point[] };
}
interface Received {
  path: string;
  headers: Record<string, unknown>;
  body: {
    resourceMetrics: {
      resource: { attributes: Point['attributes'] };
      scopeMetrics: { metrics: Metric[] }[];
    }[];
  };
}

async function startCollector(
  t: Test,
): Promise<{ url: string; received: Received[]; answer: { status: number } }> {
  const received: Received[] = [];
  const answer = { status: 200 };
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(text) });
      response.writeHead(answer.status).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`, received, answer };
}

t.test('the collector gets what /metrics says', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const canary = 'canary-value-4711';
  await vault.writeSecret('secret/app', { word: canary });
  const { url, received, answer } = await startCollector(t);
  const secretUrl = `${url.replace('//', '//otlp:hunter2@')}?key=hunter2`;
  const otlp = { url: secretUrl, interval: '200ms', headers: { 'x-scope': 'host-7' } };
  const agent = startAgent(t, {
    folder,
    vault,
    config: { secrets: { app: { path: 'secret/app', refresh: '1h' } }, telemetry: { otlp } },
  });
  await agent.untilReady();
  const from = received.length;
  await waitFor('two of them', () => received.length >= from + 2);
  const last = received.at(-1);
  t.match(last, {
    path: '/v1/metrics?key=hunter2',
    headers: { 'x-scope': 'host-7', 'content-type': 'application/json' },
  });
  const [resource] = last?.body.resourceMetrics ?? [];
  const named = Object.fromEntries(
    resource?.resource.attributes.map(({ key, value }) => [key, value.stringValue]) ?? [],
  );
  t.match(named, { 'service.name': 'latchkey', 'service.version': /^\d/, 'host.name': /./ });
  const metrics = resource?.scopeMetrics[0]?.metrics ?? [];
  const of = (name: string) => metrics.find((one) => one.name === name);
  t.match(of('latchkey_ready'), { gauge: { dataPoints: [{ asDouble: 1 }] } });
  const states = of('latchkey_secret_state')?.gauge?.dataPoints.map(({ attributes, asDouble }) => [
    attributes.map(({ value }) => value.stringValue).join(' '),
    asDouble,
  ]);
  t.strictSame(states, [
    ['app pending', 0],
    ['app fresh', 1],
    ['app stale', 0],
    ['app removed', 0],
    ['app denied', 0],
    ['app expired', 0],
  ]);
  t.match(of('latchkey_upstream_requests_total'), {
    unit: '1',
    sum: { isMonotonic: true, aggregationTemporality: 2 },
  });
  const seconds = of('latchkey_upstream_request_seconds')?.histogram?.dataPoints[0];
  t.equal(of('latchkey_upstream_request_seconds')?.unit, 's');
  t.equal(seconds?.bucketCounts?.length, (seconds?.explicitBounds?.length ?? 0) + 1);
  t.equal(String(seconds?.bucketCounts?.reduce((sum, one) => sum + Number(one), 0)), seconds?.count);
  t.ok(BigInt(seconds?.startTimeUnixNano ?? 0) < BigInt(seconds?.timeUnixNano ?? 0));
  const text = (await agent.ask('/metrics')).text;
  const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name);
  for (const { name } of metrics) t.ok(names.includes(name), name);
  t.notMatch(JSON.stringify(received), canary);

  answer.status = 503;
  await waitFor('the failure', () => agent.log().includes('metrics could not be sent'));
  const failed = received.length;
  await waitFor('three more', () => received.length >= failed + 3);
  t.equal(agent.log().split('metrics could not be sent').length, 2, 'it is told once');
  answer.status = 200;
  await waitFor('the recovery', () => agent.log().includes('the collector takes metrics again'));
  t.match(agent.log(), `"url":"${url}"`, 'of the address its credentials are not told');
  t.notMatch(agent.log(), 'hunter2');

  const other = await startCollector(t);
  const config = JSON.parse(readFileSync(agent.configPath, 'utf8'));
  writeFileSync(
    agent.configPath,
    JSON.stringify({ ...config, telemetry: { otlp: { url: other.url, interval: '200ms' } } }),
  );
  t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
  await waitFor('the other', () => other.received.length > 0);
  const before = received.length;
  await waitFor('three more there', () => other.received.length >= 4);
  t.equal(received.length, before, 'and none here any more');
  const pushes = /^latchkey_telemetry_pushes_total\{outcome="failed"\} (\d+)/m.exec(
    (await agent.ask('/metrics')).text,
  );
  t.ok(Number(pushes?.[1]) >= 3, 'what failed is counted');
});

t.test('an address that is none is refused', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const agent = startAgent(t, { folder, vault, config: { telemetry: { otlp: { url: 'collector:4318' } } } });
  const { code, stderr } = await agent.exited;
  t.equal(code, 2);
  t.match(stderr, /telemetry\.otlp\.url: expected an address such as/);
});
