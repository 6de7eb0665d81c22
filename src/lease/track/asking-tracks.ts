// What is asked of the tracks from outside: a refresh or a rotation that somebody waits for, and the word that something may
// have changed.
import { orAborted } from '../../base/time/aborted.ts';
import { createReference } from '../../store/reference.ts';
import type { AskMode, AskResult } from './asking.ts';
import type { EndParts } from './end-old.ts';
import { noSuchEntry, type RotateOptions, type RotateResult, rotateTrack } from './rotate-track.ts';
import type { SecretTrack } from './secret-track.ts';
import { isMinted } from './secret-view.ts';
import type { TrackTable } from './track-table.ts';

export interface RefreshResult extends AskResult {
  readonly key: string;
}

export interface AskingTracks {
  /**
   * Asks upstream now, for all entries or for these. Static secrets are read; of leased ones a renewable lease is renewed
   * (so that one which was revoked elsewhere is found and replaced), another is kept. `replace` asks for new credentials
   * at the named entries. The signal only ends the waiting.
   */
  refresh(
    keys?: readonly string[],
    options?: { signal?: AbortSignal; replace?: boolean },
  ): Promise<RefreshResult[]>;
  /**
   * Makes another credential or certificate for each of these entries now, whatever the mint floor says, as a rotation
   * like any other: users get the new one before the old one goes. Nothing is made where upstream only stores the secret.
   * With `revokeNow` it resolves when the old one is gone, or could not be revoked; what has no lease is revoked by it too.
   */
  rotate(keys: readonly string[], options?: RotateOptions): Promise<RotateResult[]>;
  /** An event says that `path` (as the API spells it) changed. */
  changedUpstream(upstream: string, path: string): void;
  /** These may have changed: static ones are polled now, nothing is made. `isTold` from outside: at once, also the first time. */
  lookAgain(keys: readonly string[], options?: { isTold: boolean }): void;
}

interface AskingTracksOptions extends EndParts {
  readonly random: () => number;
  readonly tracks: TrackTable;
  /** Before anybody waits: a host that slept has other plans. */
  readonly lookAtClock: () => void;
}

export function createAskingTracks(options: AskingTracksOptions): AskingTracks {
  const { clock, random, sources, tracks, lookAtClock } = options;

  async function rotate(
    keys: readonly string[],
    { revokeNow = false, signal }: RotateOptions = {},
  ): Promise<RotateResult[]> {
    lookAtClock();
    const { wanted, unknown } = tracks.ofEntries(keys);
    const asked = Promise.all([...wanted].map(([track, own]) => rotateTrack(track, own, revokeNow, options)));
    const results = await (signal === undefined ? asked : orAborted(asked, signal));
    const failed = { outcome: 'failed', isChanged: false, old: 'none' } as const;
    return [...results.flat(), ...unknown.map((key) => ({ key, ...failed, error: noSuchEntry(key) }))];
  }

  async function refreshTrack(
    keys: readonly string[],
    track: SecretTrack,
    mode: AskMode,
  ): Promise<RefreshResult[]> {
    const result = await track.ask(mode, 'interactive', 'asked');
    return keys.map((key) => ({ key, ...result }));
  }

  async function refresh(
    keys?: readonly string[],
    { signal, replace = false }: { signal?: AbortSignal; replace?: boolean } = {},
  ): Promise<RefreshResult[]> {
    lookAtClock();
    const { wanted, unknown } = tracks.ofEntries(keys ?? tracks.entryKeys());
    const mode = replace && keys !== undefined ? 'replace' : 'check';
    const asked = Promise.all([...wanted].map(([track, own]) => refreshTrack(own, track, mode)));
    const results = await (signal === undefined ? asked : orAborted(asked, signal));
    const failed = unknown.map((key): RefreshResult => ({ key, outcome: 'failed', error: noSuchEntry(key) }));
    return [...results.flat(), ...failed];
  }

  return {
    refresh,
    rotate,
    changedUpstream(upstream, path) {
      const at = clock.now();
      const canonical = sources.find(upstream)?.canonicalKey(createReference({ upstream, path }));
      for (const track of tracks.ofUpstream(upstream)) {
        const plain = sources.find(upstream)?.canonicalKey({ ...track.reference, parameters: {} });
        if (plain !== canonical && track.reference.path !== path) continue;
        const { value } = track.view();
        if (value !== undefined && isMinted(value.kind)) continue;
        clock.setTimer(300 * random(), () => void track.ask('check', 'background', 'push', at));
      }
    },
    lookAgain(keys, { isTold } = { isTold: false }) {
      for (const track of new Set(keys.map((key) => tracks.ofEntry(key)))) {
        const value = track?.view().value;
        if (value === undefined ? isTold : !isMinted(value.kind))
          void track?.ask('check', isTold ? 'interactive' : 'background', isTold ? 'hook' : 'together');
      }
    },
  };
}
