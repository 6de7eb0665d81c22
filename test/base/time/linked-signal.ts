import { getEventListeners } from 'node:events';
import t from 'tap';
import { createSignalLinks, linkSignals } from '../../../src/base/time/linked-signal.ts';

t.test('aborts with the reason of the parent that aborts first', (t) => {
  const parents = [new AbortController(), new AbortController()] as const;
  const linked = linkSignals(...parents.map(({ signal }) => signal));
  t.notOk(linked.signal.aborted);
  parents[1].abort('second');
  parents[0].abort('first');
  t.equal(linked.signal.reason, 'second');
  t.end();
});

t.test('is aborted from the start below an aborted parent', (t) => {
  t.equal(linkSignals(AbortSignal.abort('over'), new AbortController().signal).signal.reason, 'over');
  t.end();
});

t.test('aborts alone, and leaves its parents be', (t) => {
  const parent = new AbortController();
  const linked = linkSignals(parent.signal);
  linked.abort('late');
  t.equal(linked.signal.reason, 'late');
  t.notOk(parent.signal.aborted);
  t.end();
});

t.test('released, it hears its parents no longer and leaves nothing with them', (t) => {
  const parent = new AbortController();
  const linked = linkSignals(parent.signal);
  t.equal(getEventListeners(parent.signal, 'abort').length, 1);
  linked.release();
  t.equal(getEventListeners(parent.signal, 'abort').length, 0);
  parent.abort();
  t.notOk(linked.signal.aborted);
  t.end();
});

t.test('of a lifetime: ends with it or with its own parent, whichever comes first', (t) => {
  const lifetime = new AbortController();
  const link = createSignalLinks(lifetime.signal);
  const parents = [new AbortController(), new AbortController(), new AbortController()] as const;
  const [first, second, third] = parents.map(({ signal }) => link(signal));
  t.equal(getEventListeners(lifetime.signal, 'abort').length, 1, 'one listener for all');
  parents[0].abort('own');
  third?.release();
  t.equal(getEventListeners(parents[2].signal, 'abort').length, 0);
  lifetime.abort('over');
  parents[1].abort('late');
  t.equal(first?.signal.reason, 'own');
  t.equal(second?.signal.reason, 'over');
  t.notOk(third?.signal.aborted, 'released');
  t.equal(link(new AbortController().signal).signal.reason, 'over', 'also what comes after its end');
  t.equal(link(AbortSignal.abort('before')).signal.reason, 'before');
  t.end();
});

t.test('of a lifetime: those of one parent are one signal, until the last of them is let go', (t) => {
  const link = createSignalLinks(new AbortController().signal);
  const parent = new AbortController();
  const [first, second] = [link(parent.signal), link(parent.signal)];
  t.equal(first.signal, second.signal);
  t.equal(getEventListeners(parent.signal, 'abort').length, 1);
  first.release();
  t.equal(getEventListeners(parent.signal, 'abort').length, 1, 'the other one still follows');
  second.release();
  t.equal(getEventListeners(parent.signal, 'abort').length, 0);
  const third = link(parent.signal);
  parent.abort('own');
  t.notOk(first.signal.aborted, 'released');
  t.equal(third.signal.reason, 'own');
  third.release();
  t.equal(link(parent.signal).signal.reason, 'own', 'also what comes after its end');
  t.end();
});
