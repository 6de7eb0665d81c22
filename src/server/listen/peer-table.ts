// Who is at the other end of unix sockets: one record for all connections of a process, with the watch that tells when it
// has ended. From then on its connections are nobody's, whoever holds them.
import { type Caller, openCaller, unknownCaller } from '../../access/caller.ts';
import type { PeerReader, ProcessWatch } from '../../access/peer.ts';
import { BoundedMap } from '../../base/bounded-map.ts';
import { createIdentity, type Identity } from './identity.ts';

export interface Peer {
  readonly identity: Identity;
  /** The identity at this time (monotonic milliseconds): nobody's once the process has ended. */
  at(now: number): Identity;
  /** To be called once, when the connection has ended. */
  release(): void;
}

export interface PeerTable {
  peerOf(fd: number | undefined): Peer;
}

/** More different processes than that at once are remembered again. */
const maxKnown = 1024;
/** Requests that come closer than that share one look at the process. */
const lookEveryMs = 1;

const ended = createIdentity(unknownCaller('the process that connected has ended'));
const gone: Peer = ofNobody('the connection is gone');

/** Of callers who are not told by a process. */
export function ofNobody(why: string): Peer {
  const identity = createIdentity(unknownCaller(why));
  return { identity, at: () => identity, release: () => undefined };
}

/** Whoever connects to a listener that is open to all. */
export function ofOpenListener(place: string): Peer {
  const identity = createIdentity(openCaller(place));
  return { identity, at: () => identity, release: () => undefined };
}

export function createPeerTable(peers: PeerReader): PeerTable {
  const known = new BoundedMap<string, SharedPeer>(maxKnown);
  return {
    peerOf(fd) {
      if (fd === undefined) return gone;
      const { caller, watch } = peers.follow(fd);
      // Without its start time a process has no name of its own that others could share.
      if (caller.kind !== 'process' || caller.startTime === undefined)
        return new SharedPeer(caller).join(watch);
      const key = JSON.stringify(caller);
      let peer = known.get(key);
      if (peer === undefined) {
        peer = new SharedPeer(caller);
        known.set(key, peer);
      }
      return peer.join(watch);
    },
  };
}

class SharedPeer implements Peer {
  readonly identity: Identity;
  #watch: ProcessWatch | undefined;
  #users = 0;
  #lookedAt = 0;
  #hasEnded = false;

  constructor(caller: Caller) {
    this.identity = createIdentity(caller);
  }

  /** Of two watches on one process one is enough. */
  join(watch: ProcessWatch | undefined): this {
    this.#users += 1;
    if (this.#watch === undefined) this.#watch = watch;
    else watch?.close();
    return this;
  }

  at(now: number): Identity {
    if (now - this.#lookedAt >= lookEveryMs) {
      this.#lookedAt = now;
      this.#hasEnded ||= this.#watch?.isAlive() === false;
    }
    return this.#hasEnded ? ended : this.identity;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#watch?.close();
    this.#watch = undefined;
  }
}
