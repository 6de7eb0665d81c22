import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { defineAgentMetrics } from '../../src/metrics/agent-metrics.ts';
import { createMetricsRegistry } from '../../src/metrics/registry.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/reference/metrics.md'), 'utf8');

t.test('the reference page lists every metric as it is, and none that is gone', (t) => {
  const registry = createMetricsRegistry();
  defineAgentMetrics(registry);
  const expected = registry.describe().map(({ name, kind, labels, help }) => {
    const names = labels.map((label) => `\`${label}\``).join(', ') || '–';
    return `| \`${name}\` | ${kind} | ${names} | ${help} |`;
  });
  t.strictSame(
    page.split('\n').filter((line) => line.startsWith('| `latchkey_')),
    expected,
  );
  t.end();
});

t.test('names and units follow Prometheus: _total for counters, base units', (t) => {
  const registry = createMetricsRegistry();
  defineAgentMetrics(registry);
  for (const { name, kind } of registry.describe()) {
    t.match(name, /^latchkey_/);
    t.equal(name.endsWith('_total'), kind === 'counter', name);
    t.notMatch(name, /_(ms|us|kib|mb)(_|$)/);
  }
  t.end();
});
