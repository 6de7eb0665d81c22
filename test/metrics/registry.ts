import t from 'tap';
import { createMetricsRegistry } from '../../src/metrics/registry.ts';

t.test('writes counters, gauges and histograms as Prometheus text', (t) => {
  const registry = createMetricsRegistry();
  const requests = registry.counter('app_requests_total', 'Requests.', ['dialect', 'status']);
  requests.with('secrets', '200').inc();
  requests.with('secrets', '200').inc(2);
  requests.with('vault', '404').inc();
  registry.gauge('app_open', 'Open\nnow \\ later.').with().set(-1.5);
  const seconds = registry.histogram('app_seconds', 'Time.', ['dialect']).with('aws');
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
  t.equal(
    registry.render(),
    [
      '# HELP app_requests_total Requests.',
      '# TYPE app_requests_total counter',
      'app_requests_total{dialect="secrets",status="200"} 3',
      'app_requests_total{dialect="vault",status="404"} 1',
      '# HELP app_open Open\\nnow \\\\ later.',
      '# TYPE app_open gauge',
      'app_open -1.5',
      '# HELP app_seconds Time.',
      '# TYPE app_seconds histogram',
      ...['0.0001', '0.00025', '0.0005', '0.001', '0.0025', '0.005', '0.01'].map(
        (bound) => `app_seconds_bucket{dialect="aws",le="${bound}"} 0`,
      ),
      'app_seconds_bucket{dialect="aws",le="0.05"} 1',
      'app_seconds_bucket{dialect="aws",le="0.1"} 2',
      'app_seconds_bucket{dialect="aws",le="0.5"} 3',
      'app_seconds_bucket{dialect="aws",le="1"} 3',
      'app_seconds_bucket{dialect="aws",le="5"} 3',
      'app_seconds_bucket{dialect="aws",le="30"} 4',
      'app_seconds_bucket{dialect="aws",le="+Inf"} 4',
      'app_seconds_sum{dialect="aws"} 7.65',
      'app_seconds_count{dialect="aws"} 4',
      '',
    ].join('\n'),
  );
  t.end();
});

t.test('escapes label values and tells apart those that a separator could confuse', (t) => {
  const registry = createMetricsRegistry();
  const gauge = registry.gauge('g', 'G.', ['a', 'b']);
  gauge.with('x"y\\z\n', '').set(1);
  gauge.with('1,2', '3').set(2);
  gauge.with('1', '2,3').set(3);
  t.match(registry.render(), 'g{a="x\\"y\\\\z\\n",b=""} 1\ng{a="1,2",b="3"} 2\ng{a="1",b="2,3"} 3\n');
  t.end();
});

t.test('forgets what is gone, in every metric that speaks of it', (t) => {
  const registry = createMetricsRegistry();
  const counts = registry.counter('counts', 'C.', ['name', 'why']);
  const seconds = registry.histogram('seconds', 'S.', ['name']);
  const other = registry.gauge('other', 'O.', ['why']);
  for (const name of ['old', 'new']) {
    counts.with(name, 'a').inc(2);
    counts.with(name, 'b').inc();
    seconds.with(name).observe(1);
  }
  other.with('old').set(1);
  registry.forget('name', (name) => name === 'old');
  t.notMatch(registry.render(), 'name="old"');
  t.match(registry.render(), 'counts{name="new",why="a"} 2');
  t.match(registry.render(), 'other{why="old"} 1', 'another label is another thing');
  counts.with('old', 'a').inc();
  t.match(registry.render(), 'counts{name="old",why="a"} 1', 'what comes back begins again');
  t.end();
});

t.test('collects when it is asked, and forgets what was cleared', (t) => {
  const registry = createMetricsRegistry();
  const ages = registry.gauge('age', 'A.', ['name']);
  const names = ['a', 'b'];
  const stop = registry.onRender(() => {
    ages.clear();
    for (const name of names) ages.with(name).set(Number.POSITIVE_INFINITY);
  });
  t.match(registry.render(), 'age{name="a"} +Inf\nage{name="b"} +Inf\n');
  names.shift();
  t.notMatch(registry.render(), '"a"');
  stop();
  names.push('c');
  t.notMatch(registry.render(), '"c"');
  t.end();
});

t.test('more labels than anybody needs end up together', (t) => {
  const registry = createMetricsRegistry();
  const counter = registry.counter('c', 'C.', ['name']);
  for (let index = 0; index < 12_000; index += 1) counter.with(`n${index}`).inc();
  counter.with('n5').inc();
  const text = registry.render();
  t.match(text, 'c{name="other"} 2000\n');
  t.match(text, 'c{name="n5"} 2\n');
  t.end();
});

t.test('refuses what no scraper could read', (t) => {
  const registry = createMetricsRegistry();
  const counter = registry.counter('ok_total', 'Ok.', ['a']);
  t.throws(() => registry.counter('ok_total', 'Again.'), /defined twice/);
  t.throws(() => registry.counter('not-ok', 'X.'), /lower-case/);
  t.throws(() => registry.counter('x', 'X.', ['Bad']), /lower-case/);
  t.throws(() => counter.with(), /expected 1 label values, got 0/);
  t.end();
});
