// Node's TLS, loaded when a connection or a listener needs it: Node parses every authority that it ships as soon as it is, on
// a thread of its own, and an agent whose vault is next door or behind a proxy would keep them all for nothing.
import { setFlagsFromString } from 'node:v8';

const compilers = ['maglev', 'sparkplug', 'parallel-scavenge'];
let areLeftOut = false;

/** One optimizing compiler and one collector of the young generation, from now on. */
export function leaveCompilersOut(): void {
  areLeftOut = true;
  for (const name of compilers) setFlagsFromString(`--no-${name}`);
}

export function nodeHttps(): typeof import('node:https') {
  return asNodeWasMade(() => process.getBuiltinModule('node:https'));
}

export function nodeTls(): typeof import('node:tls') {
  return asNodeWasMade(() => process.getBuiltinModule('node:tls'));
}

/** V8 takes what Node keeps compiled of itself only under the options that it was made with; else it compiles it again. */
function asNodeWasMade<Loaded>(load: () => Loaded): Loaded {
  if (!areLeftOut) return load();
  for (const name of compilers) setFlagsFromString(`--${name}`);
  try {
    return load();
  } finally {
    leaveCompilersOut();
  }
}
