// Metrics as OTLP has them in JSON: an ExportMetricsServiceRequest, with the names and labels of the Prometheus text. Times are
// in nanoseconds and as text, for no JSON number holds them.
import { type MetricPoint, type MetricReading, secondsBuckets } from './registry.ts';

interface Origin {
  readonly host: string;
  readonly version: string;
  /** Wall times in milliseconds. */
  readonly startedAt: number;
  readonly now: number;
}

/** AGGREGATION_TEMPORALITY_CUMULATIVE */
const cumulative = 2;

export function otlpPayload(readings: readonly MetricReading[], origin: Origin): object {
  const attributes = attributesOf({
    'service.name': 'latchkey',
    'service.version': origin.version,
    'host.name': origin.host,
  });
  const scope = { name: 'latchkey', version: origin.version };
  const metrics = readings
    .filter(({ points }) => points.length > 0)
    .map((reading) => metricOf(reading, origin));
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ scope, metrics }] }] };
}

function metricOf({ name, kind, help, labels, points }: MetricReading, { startedAt, now }: Origin): object {
  const times = { startTimeUnixNano: nanoseconds(startedAt), timeUnixNano: nanoseconds(now) };
  const common = { name, description: help, unit: unitOf(name) };
  const pointOf = (point: MetricPoint) => ({
    attributes: attributesOf(
      Object.fromEntries(labels.map((label, index) => [label, point.values[index] ?? ''])),
    ),
    ...times,
  });
  if (kind === 'histogram') {
    const dataPoints = points.map((point) => ({ ...pointOf(point), ...histogramOf(point) }));
    return { ...common, histogram: { aggregationTemporality: cumulative, dataPoints } };
  }
  const dataPoints = points.map((point) => ({ ...pointOf(point), asDouble: point.value }));
  if (kind === 'gauge') return { ...common, gauge: { dataPoints } };
  return { ...common, sum: { aggregationTemporality: cumulative, isMonotonic: true, dataPoints } };
}

/** One bucket more than there are bounds: for what is beyond the last. */
function histogramOf({ value, sum, buckets }: MetricPoint): object {
  const within = buckets.reduce((total, one) => total + one, 0);
  return {
    count: String(value),
    sum,
    bucketCounts: [...buckets, value - within].map(String),
    explicitBounds: secondsBuckets,
  };
}

function attributesOf(values: Readonly<Record<string, string>>): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

function nanoseconds(wall: number): string {
  return String(BigInt(Math.round(wall)) * 1_000_000n);
}

function unitOf(name: string): string {
  if (name.endsWith('_seconds')) return 's';
  return name.endsWith('_bytes') ? 'By' : '1';
}
