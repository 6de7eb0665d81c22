// Sends the metrics to a collector, as JSON of OTLP over HTTP. Nothing of it is loaded, and no timer runs, unless the config
// says so. A collector that is away costs a line a state change and a counter; what it did not get is not kept.
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { shownUrl } from '../../base/text/shown-url.ts';
import type { Clock, Timer } from '../../base/time/clock.ts';
import type { OtlpConfig } from '../../config/resolved.ts';
import type { AgentMetrics } from '../../metrics/agent-metrics.ts';
import type { MetricsRegistry } from '../../metrics/registry.ts';
import { version } from '../../version.ts';

export interface MetricsPush {
  /** From now on; undefined: no longer. */
  set(config: OtlpConfig | undefined): void;
  close(): void;
}

interface PushOptions {
  readonly registry: MetricsRegistry;
  readonly metrics: Pick<AgentMetrics, 'telemetryPushes'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Wall time in milliseconds: counters count from there. */
  readonly startedAt: number;
}

const mostTimeoutMs = 10_000;

export function createMetricsPush({ registry, metrics, clock, logger, startedAt }: PushOptions): MetricsPush {
  let wanted: OtlpConfig | undefined;
  let timer: Timer | undefined;
  let wasFine = true;

  function plan(config: OtlpConfig): void {
    timer = clock.setTimer(config.intervalMs, () => void push(config));
  }

  async function push(config: OtlpConfig): Promise<void> {
    try {
      const { otlpPayload } = await import('../../metrics/otlp-payload.ts');
      const body = JSON.stringify(
        otlpPayload(registry.read(), { host: hostname(), version, startedAt, now: clock.wall() }),
      );
      await post(config, body);
      metrics.telemetryPushes.with('ok').inc();
      if (!wasFine) logger.info({ url: shownUrl(config.url) }, 'the collector takes metrics again');
      wasFine = true;
    } catch (error) {
      metrics.telemetryPushes.with('failed').inc();
      if (wasFine)
        logger.warn({ url: shownUrl(config.url), error: describeError(error) }, 'metrics could not be sent');
      wasFine = false;
    }
    if (wanted === config) plan(config);
  }

  return {
    set(config) {
      if (isDeepStrictEqual(config, wanted)) return;
      timer?.cancel();
      wanted = config;
      if (config !== undefined) plan(config);
    },
    close() {
      timer?.cancel();
      wanted = undefined;
    },
  };
}

async function post({ url, headers, intervalMs }: OtlpConfig, body: string): Promise<void> {
  const { request } = await import(url.startsWith('https:') ? 'node:https' : 'node:http');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    signal: AbortSignal.timeout(Math.min(intervalMs, mostTimeoutMs)),
  });
  sent.on('error', reject);
  sent.on('response', (answer: import('node:http').IncomingMessage) => {
    answer.resume();
    const { statusCode: status = 0 } = answer;
    if (status >= 200 && status < 300) resolve();
    else reject(new Error(`the collector answered with status ${status}`));
  });
  sent.end(body);
  await promise;
}
