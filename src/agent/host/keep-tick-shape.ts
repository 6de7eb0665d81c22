// Keeps one of the objects that Node makes for each `process.nextTick`, of which a request takes several. V8 forgets the shape
// of objects of which a collection finds none; for those that are made with computed keys, as these are, it goes the slow way
// from then on, and a cached lookup takes a quarter more.
import { executionAsyncResource } from 'node:async_hooks';

/** To be called before anything is collected. Where Node gives another object it is kept in vain, and no harm is done. */
export function keepTickShape(): void {
  // Bound, as nobody reads it: what an unused variable holds is collected.
  process.nextTick(() => void process.once('exit', hold.bind(undefined, executionAsyncResource())));
}

function hold(_kept: object): void {
  // Nothing is to be done with it.
}
