// Counters, gauges and histograms in memory, written as Prometheus text 0.0.4. Labels hold names, codes and states of
// the config's making, never a value of a secret and never what a caller made up.

/** Of every histogram, in seconds; fit for answers from memory as for requests to an upstream. */
export const secondsBuckets: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30,
];

type LabelValues = readonly string[];

export interface Counter {
  inc(by?: number): void;
}

export interface Gauge {
  set(value: number): void;
  inc(by?: number): void;
}

export interface Histogram {
  observe(value: number): void;
}

/** One metric with its children, one for each combination of label values, in the order of the label names. */
export interface Family<Child> {
  readonly name: string;
  /** The child for these values, made on first use. Keep it where it is used often. */
  with(...values: string[]): Child;
  /** Forgets all children; for gauges whose set of labels changes (secrets, files). */
  clear(): void;
}

interface MetricDescription {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

export interface MetricPoint {
  /** In the order of the labels. */
  readonly values: readonly string[];
  /** Of a histogram: how many were observed. */
  readonly value: number;
  readonly sum: number;
  /** How many fell into each bucket, and into none of those before; empty where it is no histogram. */
  readonly buckets: readonly number[];
}

export interface MetricReading extends MetricDescription {
  readonly points: readonly MetricPoint[];
}

export interface MetricsRegistry {
  counter(name: string, help: string, labels?: readonly string[]): Family<Counter>;
  gauge(name: string, help: string, labels?: readonly string[]): Family<Gauge>;
  histogram(name: string, help: string, labels?: readonly string[]): Family<Histogram>;
  /** `collect` runs before each `render` and sets gauges from what is there then. Returns what ends it. */
  onRender(collect: () => void): () => void;
  /** What has such a name is gone: no metric with this label speaks of it any more. One that comes back begins at 0. */
  forget(label: string, isGone: (value: string) => boolean): void;
  describe(): MetricDescription[];
  render(): string;
  /** What `render` writes, as numbers. */
  read(): MetricReading[];
}

/** Children of one metric; more than that share one whose labels are all `other`, so that memory stays bounded. */
const maxChildren = 10_000;
const overflow = 'other';

interface Cell {
  readonly values: readonly string[];
  value: number;
  sum: number;
  buckets: number[];
}

interface Metric extends MetricDescription {
  readonly cells: Map<string, Cell>;
  /** Forgets the children with such a value at this place among the labels. */
  forget(index: number, isGone: (value: string) => boolean): void;
}

const namePattern = /^[a-z][a-z0-9_]*$/;

export function createMetricsRegistry(): MetricsRegistry {
  const metrics = new Map<string, Metric>();
  const collectors = new Set<() => void>();

  function createFamily<Child>(description: MetricDescription, wrap: (cell: Cell) => Child): Family<Child> {
    const { name, labels } = description;
    if (!namePattern.test(name) || !labels.every((label) => namePattern.test(label))) {
      throw new TypeError(`metric ${name}: expected lower-case names with digits and underscores`);
    }
    if (metrics.has(name)) throw new TypeError(`metric ${name} is defined twice`);
    let children = new Map<string, Child>();
    /** By the values as they are given: spares escaping them on every count. */
    let known = new Map<string, Child>();
    const metric: Metric = {
      ...description,
      cells: new Map(),
      forget(index, isGone) {
        for (const [key, { values }] of metric.cells) {
          if (!isGone(values[index] ?? '') || values.every((value) => value === overflow)) continue;
          metric.cells.delete(key);
          children.delete(key);
          known = new Map();
        }
      },
    };
    metrics.set(name, metric);
    const childOf = (values: LabelValues): Child => {
      if (values.length !== labels.length) {
        throw new TypeError(`metric ${name}: expected ${labels.length} label values, got ${values.length}`);
      }
      const isFull = metric.cells.size >= maxChildren && !metric.cells.has(labelText(labels, values));
      const shown = isFull ? values.map(() => overflow) : values;
      const key = labelText(labels, shown);
      const child = children.get(key) ?? wrap(cellOf(metric, key, shown));
      children.set(key, child);
      return child;
    };
    if (labels.length === 0) childOf([]);
    return {
      name,
      with(...values) {
        const given = keyOf(values);
        let child = known.get(given);
        if (child === undefined) {
          child = childOf(values);
          if (known.size < maxChildren) known.set(given, child);
        }
        return child;
      },
      clear() {
        metric.cells.clear();
        children = new Map();
        known = new Map();
      },
    };
  }

  return {
    counter: (name, help, labels = []) =>
      createFamily({ name, kind: 'counter', help, labels }, (cell) => ({
        inc(by = 1) {
          cell.value += by;
        },
      })),
    gauge: (name, help, labels = []) =>
      createFamily({ name, kind: 'gauge', help, labels }, (cell) => ({
        set(value) {
          cell.value = value;
        },
        inc(by = 1) {
          cell.value += by;
        },
      })),
    histogram: (name, help, labels = []) =>
      createFamily({ name, kind: 'histogram', help, labels }, (cell) => ({
        observe(value) {
          cell.value += 1;
          cell.sum += value;
          let index = 0;
          while (index < secondsBuckets.length && value > (secondsBuckets[index] ?? 0)) index += 1;
          if (index < secondsBuckets.length) cell.buckets[index] = (cell.buckets[index] ?? 0) + 1;
        },
      })),
    onRender(collect) {
      collectors.add(collect);
      return () => collectors.delete(collect);
    },
    forget(label, isGone) {
      for (const metric of metrics.values()) {
        const index = metric.labels.indexOf(label);
        if (index >= 0) metric.forget(index, isGone);
      }
    },
    describe: () =>
      [...metrics.values()].map(({ name, kind, help, labels }) => ({ name, kind, help, labels })),
    render() {
      for (const collect of [...collectors]) collect();
      return [...metrics.values()].map(renderMetric).join('');
    },
    read() {
      for (const collect of [...collectors]) collect();
      return [...metrics.values()].map(({ cells, ...description }) => ({
        ...description,
        points: [...cells.values()],
      }));
    },
  };
}

/** By hand, as it is done for each request. */
function keyOf(values: LabelValues): string {
  const { length } = values;
  if (length === 1) return values[0] ?? '';
  return length === 2 ? `${values[0]}\0${values[1]}` : values.join('\0');
}

function cellOf(metric: Metric, key: string, values: readonly string[]): Cell {
  let cell = metric.cells.get(key);
  if (cell === undefined) {
    cell = {
      values,
      value: 0,
      sum: 0,
      buckets: metric.kind === 'histogram' ? secondsBuckets.map(() => 0) : [],
    };
    metric.cells.set(key, cell);
  }
  return cell;
}

function renderMetric(metric: Metric): string {
  const lines = [`# HELP ${metric.name} ${escapeHelp(metric.help)}`, `# TYPE ${metric.name} ${metric.kind}`];
  for (const [key, cell] of metric.cells) {
    if (metric.kind === 'histogram') lines.push(...histogramLines(metric, key, cell));
    else lines.push(`${metric.name}${braces(key)} ${formatNumber(cell.value)}`);
  }
  return `${lines.join('\n')}\n`;
}

function histogramLines(metric: Metric, key: string, cell: Cell): string[] {
  let total = 0;
  const start = key === '' ? '' : `${key},`;
  const lines = secondsBuckets.map((bound, index) => {
    total += cell.buckets[index] ?? 0;
    return `${metric.name}_bucket{${start}le="${bound}"} ${total}`;
  });
  return [
    ...lines,
    `${metric.name}_bucket{${start}le="+Inf"} ${cell.value}`,
    `${metric.name}_sum${braces(key)} ${formatNumber(cell.sum)}`,
    `${metric.name}_count${braces(key)} ${cell.value}`,
  ];
}

function labelText(labels: readonly string[], values: LabelValues): string {
  return labels.map((label, index) => `${label}="${escapeLabel(values[index] ?? '')}"`).join(',');
}

function braces(key: string): string {
  return key === '' ? '' : `{${key}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (sign) => (sign === '\n' ? '\\n' : `\\${sign}`));
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (sign) => (sign === '\n' ? '\\n' : '\\\\'));
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
