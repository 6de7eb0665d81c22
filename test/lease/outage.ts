import t from 'tap';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { createOutage } from '../../src/lease/outage.ts';

const away = new UpstreamError('upstream_unavailable', 'x');
const create = () => createOutage({ limits: { minMs: 1000, maxMs: 30_000 }, random: () => 0.5 });

t.test('admits everything until upstream is away, then one probe at a time', async (t) => {
  const outage = create();
  t.ok(outage.admit(0));
  outage.failed(away, 0, 10);
  const probeAt = outage.nextProbeAt() ?? 0;
  t.ok(probeAt > 10 && probeAt <= 1010);
  t.notOk(outage.admit(probeAt - 1));
  t.ok(outage.admit(probeAt), 'the probe');
  t.notOk(outage.admit(probeAt), 'and nothing beside it');
});

t.test('counts a burst that fails together once, and probes less and less often', async (t) => {
  const outage = create();
  for (let index = 0; index < 50; index += 1) outage.failed(away, 0, 10 + index);
  t.ok((outage.nextProbeAt() ?? 0) <= 1060);
  let now = 0;
  for (let round = 0; round < 12; round += 1) {
    now = outage.nextProbeAt() ?? 0;
    outage.admit(now);
    outage.failed(away, now, now);
  }
  const wait = (outage.nextProbeAt() ?? 0) - now;
  t.ok(wait >= 15_000 && wait <= 30_000, `${wait}`);
});

t.test('is over with the first answer', async (t) => {
  const outage = create();
  t.notOk(outage.answered(), 'it was not away');
  outage.failed(away, 0, 0);
  t.ok(outage.answered());
  t.ok(outage.admit(1));
  t.equal(outage.nextProbeAt(), undefined);
});

t.test('is not moved by what concerns one path', async (t) => {
  const outage = create();
  outage.failed(new UpstreamError('upstream_unavailable', 'x', { status: 500 }), 0, 0);
  outage.failed(new UpstreamError('denied', 'x', { status: 403 }), 0, 0);
  t.ok(outage.admit(1));
});
