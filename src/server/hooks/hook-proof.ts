// What a hook wants as proof of its messages: keys looked up for each, so that a changed one counts at once.
import { randomBytes } from 'node:crypto';
import type { Logger } from '../../base/logger.ts';
import { readControlledFile } from '../../base/paths/controlled-file.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import type { HmacProofConfig, HookConfig } from '../../config/resolved.ts';
import { fieldBytes, secretFields } from '../../store/secret-version.ts';
import type { AgentView } from '../agent-view.ts';
import { type SignedMessage, type Verdict, verifyHmac } from './hmac-policy.ts';
import { createJwtProof, type JwtProof } from './jwt-proof.ts';

export interface HookProof {
  /** `hook` undefined: there is none of this name, which takes as long to find out as that a signature is wrong. */
  verify(hook: HookConfig | undefined, message: SignedMessage, wallMs: number): Promise<Verdict>;
}

const mostKeys = 4;
/** For names that are no hook. */
const decoy: HmacProofConfig = {
  ...{ kind: 'hmac', secretFile: undefined, secret: undefined, keyEncoding: 'text', algorithm: 'sha256' },
  ...{ header: 'x-latchkey-signature', timestampHeader: 'x-latchkey-timestamp', idHeader: 'webhook-id' },
  ...{ signed: '{body}', toleranceMs: 0 },
};

export function createHookProof(
  { names, faultOf }: Pick<AgentView, 'names' | 'faultOf'>,
  logger: Logger,
): HookProof {
  const decoyKey = randomBytes(32);
  /** By config, which is another object after a reload. */
  const tokens = new WeakMap<HookConfig, JwtProof>();
  /** By path, what was told: once, however many messages come. */
  const told = new Map<string, string>();

  /** They were looked at when the config was read, which may be long ago. */
  const judge: FaultOf = (path, role, options) => {
    const fault = faultOf?.(path, role, options);
    if (fault === undefined) told.delete(path);
    else if (told.get(path) !== fault)
      logger.warn({ event: 'hook.refuses' }, `a hook takes no message: ${fault}`);
    if (fault !== undefined) told.set(path, fault);
    return fault;
  };

  async function textsIn(path: string): Promise<string[]> {
    return (await readControlledFile(path, { faultOf: judge })).bytes.toString('utf8').split('\n');
  }

  async function keysOf(config: HmacProofConfig): Promise<Buffer[]> {
    const { secretFile, secret, keyEncoding } = config;
    const texts = secretFile === undefined ? [textOf(secret)] : await textsIn(secretFile);
    return texts
      .map((text) => keyOf(text.trim(), keyEncoding))
      .filter((key) => key.length > 0)
      .slice(0, mostKeys);
  }

  function textOf(secret: HmacProofConfig['secret']): string {
    const version = secret && names.find(secret.name)?.entry.current;
    if (secret === undefined || version === undefined) return '';
    const fields = secretFields(version);
    const [only] = Object.keys(fields).length === 1 ? Object.keys(fields) : [];
    const field = secret.field ?? only;
    return field === undefined ? '' : (fieldBytes(fields, field)?.toString('utf8') ?? '');
  }

  function tokenProof(hook: HookConfig): JwtProof | undefined {
    if (hook.proof.kind !== 'jwt') return undefined;
    const proof = tokens.get(hook) ?? createJwtProof(hook.proof, judge);
    tokens.set(hook, proof);
    return proof;
  }

  return {
    async verify(hook, message, wallMs) {
      if (hook === undefined) {
        verifyHmac(decoy, [decoyKey], message, wallMs);
        return { isGood: false, why: 'there is no such hook' };
      }
      if (hook.proof.kind === 'jwt')
        return (await tokenProof(hook)?.verify(message, wallMs)) ?? { isGood: false, why: 'no proof' };
      let keys: Buffer[];
      try {
        keys = await keysOf(hook.proof);
      } catch {
        // Which file cannot be read and why is told when the config is checked, or above; the sender must not learn it.
        keys = [];
      }
      if (keys.length === 0) return { isGood: false, why: `the key of hook ${hook.name} cannot be had` };
      return verifyHmac(hook.proof, keys, message, wallMs);
    },
  };
}

function keyOf(text: string, encoding: HmacProofConfig['keyEncoding']): Buffer {
  if (encoding === 'text') return Buffer.from(text);
  return Buffer.from(encoding === 'base64' ? text.replace(/^whsec_/, '') : text, encoding);
}
