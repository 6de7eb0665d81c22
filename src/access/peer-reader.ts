// Which file answers the questions about peers on this platform.
import { unknownCaller } from './caller.ts';
import type { PeerReader } from './peer.ts';

/** The reader of this platform; where there is none, every caller is unknown. Loads native code, so only on demand. */
export async function createPeerReader(): Promise<PeerReader> {
  if (process.platform === 'linux') return (await import('./peer-linux.ts')).createLinuxPeerReader();
  return createBlindPeerReader(`peers cannot be told on ${process.platform}`);
}

/** For where the kernel cannot be asked. */
export function createBlindPeerReader(why: string): PeerReader {
  const caller = unknownCaller(why);
  return {
    identify: () => caller,
    follow: () => ({ caller, watch: undefined }),
    uidOf: () => undefined,
    peerAddress: () => undefined,
  };
}
