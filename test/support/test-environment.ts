// An environment source and process configs that tests drive, and a look at which processes live.
import { readFileSync } from 'node:fs';
import { SecretValue } from '../../src/base/secret-value.ts';
import type { ProcessConfig } from '../../src/config/resolved.ts';
import type { EnvironmentSource } from '../../src/content/environment-source.ts';

export interface TestEnvironment extends EnvironmentSource {
  /** Undefined: a value is missing. */
  set(values: Readonly<Record<string, string>> | undefined): void;
  /** What was held, in order. */
  readonly held: string[];
  readonly isClosed: boolean;
}

export function createTestEnvironment(initial?: Readonly<Record<string, string>>): TestEnvironment {
  const listeners = new Set<() => void>();
  const held: string[] = [];
  let values = initial;
  let isClosed = false;
  return {
    held,
    get isClosed() {
      return isClosed;
    },
    set(next) {
      values = next;
      for (const listener of [...listeners]) listener();
    },
    current: () =>
      values && new Map(Object.entries(values).map(([name, value]) => [name, SecretValue.fromText(value)])),
    missing: () =>
      values === undefined ? [{ key: 'vault:read secret/app', name: 'app', reason: 'upstream is away' }] : [],
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    hold: () => void held.push(JSON.stringify(values)),
    close: () => {
      isClosed = true;
    },
  };
}

export function processConfig(
  changes: Partial<ProcessConfig> & { readonly command: readonly string[] },
): ProcessConfig {
  return {
    name: 'child',
    env: {},
    envFrom: [],
    passEnv: [],
    workingDir: undefined,
    user: undefined,
    group: undefined,
    onRotation: { kind: 'restart' },
    splayMs: 0,
    stop: { signal: 'SIGTERM', timeoutMs: 10_000 },
    restart: { onExit: 'on-failure', minBackoffMs: 1, maxBackoffMs: 20, maxAttempts: 10 },
    overlapStart: false,
    health: undefined,
    output: 'log',
    upstream: undefined,
    isRequired: true,
    ...changes,
  };
}

/** A zombie does not live. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** What a program has written to a file, once it is there. */
export function readWhenThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8') || undefined;
  } catch {
    return undefined;
  }
}
