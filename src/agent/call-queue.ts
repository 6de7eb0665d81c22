// Runs asynchronous calls one after another, in the order in which they were asked for.

export interface CallQueue {
  run<T>(call: () => Promise<T>): Promise<T>;
}

export function createCallQueue(): CallQueue {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(call) {
      const result = last.then(call);
      last = result.catch(() => undefined); // told to the one who asked
      return result;
    },
  };
}
