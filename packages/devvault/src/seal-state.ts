// Sealed or not, with one unseal key as in Vault's dev mode, and whether this node plays a standby.
import { randomBytes, timingSafeEqual } from 'node:crypto';

/** `active` serves; the others answer health with 429, 473 and 472, and redirect or refuse the rest. */
export type NodeRole = 'active' | 'standby' | 'performance-standby' | 'dr-secondary';

export interface SealState {
  isSealed: boolean;
  isInitialized: boolean;
  role: NodeRole;
  /** Where a standby redirects to; without it a standby answers 503. */
  activeAddress: string | undefined;
  /** Base64, as `vault operator unseal` takes it. */
  readonly unsealKey: string;
  seal(): void;
  /** True when the key was right; the seal is then open. */
  unseal(key: string): boolean;
}

export function createSealState(): SealState {
  const key = randomBytes(32);
  return {
    isSealed: false,
    isInitialized: true,
    role: 'active',
    activeAddress: undefined,
    unsealKey: key.toString('base64'),
    seal() {
      this.isSealed = true;
    },
    unseal(given) {
      const isHex = /^[0-9a-f]{64}$/i.test(given);
      const bytes = Buffer.from(given, isHex ? 'hex' : 'base64');
      const isRight = bytes.length === key.length && timingSafeEqual(bytes, key);
      if (isRight) this.isSealed = false;
      return isRight;
    },
  };
}
