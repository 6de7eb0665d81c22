// `latchkey rotate NAME…`: another credential or certificate now, carried through files and programs.
import type { RotateAnswer } from '../../api/admin.ts';
import { errorCodes } from '../../api/error-codes.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { printJson, say } from '../output.ts';

interface RotateOptions extends SocketOptions {
  names: string[];
  revokeNow: boolean;
  json: boolean;
}

const fates: Readonly<Record<RotateAnswer['old'], string>> = {
  none: 'there was none before',
  retires: 'the old one is revoked after its overlap',
  revoked: 'the old one is revoked',
  lives: 'the old one lives to its own end',
};

/** 0: all were rotated and are in place; 1: a file is behind, nothing could be made, or a leaked one is still good; else the code of the first failure. */
export async function runRotate(options: RotateOptions): Promise<number> {
  const client = createTypedClient(await socketPathOf(options));
  const answers: RotateAnswer[] = [];
  for (const name of options.names) {
    const answer = await client.rotate(name, { revoke_now: options.revokeNow });
    answers.push(answer);
    if (!options.json) say(sentence(answer, options.revokeNow));
  }
  if (options.json) printJson({ results: answers });
  const failed = answers.find(({ error }) => error !== undefined)?.error;
  if (failed !== undefined) return errorCodes[failed.code].exit;
  return answers.every((answer) => isDone(answer, options.revokeNow)) ? 0 : 1;
}

function isDone({ outcome, changed, old, behind }: RotateAnswer, revokeNow: boolean): boolean {
  if (behind.length > 0 || outcome === 'failed') return false;
  if (outcome === 'not_issued') return changed && !revokeNow;
  return !(revokeNow && old === 'lives');
}

function sentence(answer: RotateAnswer, revokeNow: boolean): string {
  const { name, outcome, changed, version, milliseconds, old, note, behind, error } = answer;
  if (error !== undefined) return `${name}: not rotated: ${error.message}`;
  const late = behind.length === 0 ? '' : `; not in place yet: ${behind.join(', ')}`;
  if (outcome === 'not_issued') {
    if (changed)
      return `${name}: upstream only stores it; read again, it has another value (version ${version})${late}`;
    return `${name}: not rotated: upstream only stores it, and it is the same; ${note ?? 'write another value there'}`;
  }
  const isLeft = revokeNow && old === 'lives';
  const fate = isLeft
    ? `the old one is still good to its own end: ${note ?? 'it was not revoked'}`
    : fates[old];
  const more = `\`latchkey timeline ${name}\` tells each step`;
  return `${name}: rotated to version ${version} in ${milliseconds} ms; ${fate}${late}; ${more}`;
}
