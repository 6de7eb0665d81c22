// Which track keeps which entry of the store: one track for each secret, however its path is spelled.
import type { Entry } from '../../store/entry.ts';
import { createSecretTrack, type SecretTrack } from './secret-track.ts';
import type { TrackParts } from './track-parts.ts';

export interface TrackTable {
  /** The entry's track begins to keep it, and is made if nobody else wanted its secret. */
  join(entry: Entry): void;
  leave(entry: Entry): void;
  ofEntry(key: string): SecretTrack | undefined;
  /** Of the entries that have a track. */
  entryKeys(): Iterable<string>;
  all(): Iterable<SecretTrack>;
  ofUpstream(name: string): SecretTrack[];
  /** With the entries of `keys` that each keeps, and the keys that none does. */
  ofEntries(keys: Iterable<string>): { wanted: Map<SecretTrack, string[]>; unknown: string[] };
  /** Forgets the tracks that are over. */
  sweep(): void;
}

export function createTrackTable(parts: TrackParts): TrackTable {
  /** By upstream and canonical key. */
  const tracks = new Map<string, SecretTrack>();
  const byEntry = new Map<string, SecretTrack>();

  /** Two spellings of one secret have met: the older track keeps it. */
  function settleKey(track: SecretTrack, canonicalKey: string): SecretTrack {
    const { upstream } = track.reference;
    const owner = tracks.get(trackKey(upstream, canonicalKey));
    if (tracks.get(trackKey(upstream, track.canonicalKey())) === track) {
      tracks.delete(trackKey(upstream, track.canonicalKey()));
    }
    if (owner === undefined || owner === track) {
      track.rename(canonicalKey);
      tracks.set(trackKey(upstream, canonicalKey), track);
      return track;
    }
    for (const key of track.members) byEntry.set(key, owner);
    return owner;
  }

  return {
    join({ key, reference }) {
      const canonicalKey = parts.sources.find(reference.upstream)?.canonicalKey(reference) ?? key;
      const full = trackKey(reference.upstream, canonicalKey);
      const track = tracks.get(full) ?? createSecretTrack({ ...parts, settleKey, reference, canonicalKey });
      tracks.set(full, track);
      byEntry.set(key, track);
      track.join(key);
    },
    leave({ key }) {
      const track = byEntry.get(key);
      byEntry.delete(key);
      track?.leave(key);
    },
    ofEntry: (key) => byEntry.get(key),
    entryKeys: () => byEntry.keys(),
    all: () => tracks.values(),
    ofUpstream: (name) => [...tracks.values()].filter((track) => track.reference.upstream === name),
    ofEntries(keys) {
      const wanted = new Map<SecretTrack, string[]>();
      const unknown: string[] = [];
      for (const key of keys) {
        const track = byEntry.get(key);
        if (track === undefined) unknown.push(key);
        else wanted.set(track, [...(wanted.get(track) ?? []), key]);
      }
      return { wanted, unknown };
    },
    sweep() {
      for (const [key, track] of tracks) if (track.isOver()) tracks.delete(key);
    },
  };
}

function trackKey(upstream: string, canonicalKey: string): string {
  return `${upstream}\n${canonicalKey}`;
}
