// Node's TLS, loaded when a connection or a listener needs it: Node parses every authority that it ships as soon as it is, on
// a thread of its own, and an agent whose vault is next door or behind a proxy would keep them all for nothing.
import { loadAsNodeWasMade } from '../v8-options.ts';

export function nodeHttps(): typeof import('node:https') {
  return loadAsNodeWasMade(() => process.getBuiltinModule('node:https'));
}

export function nodeTls(): typeof import('node:tls') {
  return loadAsNodeWasMade(() => process.getBuiltinModule('node:tls'));
}
