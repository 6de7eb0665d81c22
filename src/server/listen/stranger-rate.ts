// How often users without a rule may connect. The kernel has one queue of connections for all: it stays empty only while those
// of a flood cost next to nothing, so beyond a rate they are closed before anything but their uid is found out.
import type { Standing } from '../../access/access-policy.ts';
import type { Caller } from '../../access/caller.ts';
import type { PeerReader } from '../../access/peer.ts';
import { BoundedMap } from '../../base/bounded-map.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type TokenBucket, tokensIn } from '../../base/time/token-bucket.ts';

export interface StrangerRate {
  /** Whether whoever connected to this descriptor is one who does it too often. Root and the agent's own user never are. */
  isTooOften(fd: number | undefined): boolean;
  /** One that was let in. */
  note(caller: Caller, standing: Standing): void;
}

/** A hundred a second, and twice that at once. */
const filling = { most: 200, count: 100, inMs: 1000 };
const mostUsers = 4096;

export function createStrangerRate(peers: PeerReader, clock: Clock): StrangerRate {
  const ownUid = process.geteuid?.();
  /** By uid; a user's are back when it is gone. */
  const left = new BoundedMap<number, TokenBucket>(mostUsers);

  return {
    isTooOften(fd) {
      const uid = fd === undefined ? undefined : peers.uidOf(fd);
      if (uid === undefined || uid === 0 || uid === ownUid) return false;
      return tokensIn(left.get(uid), filling, clock.now()) < 1;
    },
    note(caller, standing) {
      if (caller.kind !== 'process' || standing !== 'stranger') return;
      const now = clock.now();
      left.set(caller.uid, { tokens: tokensIn(left.get(caller.uid), filling, now) - 1, at: now });
    },
  };
}
