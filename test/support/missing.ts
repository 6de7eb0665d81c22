// Whether a program that a test wants is on this machine.
import { spawnSync } from 'node:child_process';

/** False where the probe ends with 0 and prints what is expected, else the reason; for tap's `skip`. */
export function missing(name: string, probe: readonly string[], expected = /^/): string | false {
  const [program = '', ...args] = probe;
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 && expected.test(stdout) ? false : `${name} is not installed`;
}
