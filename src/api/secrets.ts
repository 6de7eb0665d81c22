// What `/secrets`, `/secrets/NAME`, `/refused/NAME` and `/events` answer.
import type { ToldError } from '../base/errors.ts';

/**
 * `pending`: not obtained yet; `stale`: upstream could not confirm it of late; `removed`, `denied`: it says so of it, and the
 * last value is handed out; `expired`: not handed out any more.
 */
export type SecretState = 'pending' | 'fresh' | 'stale' | 'removed' | 'denied' | 'expired';

/** One line of `GET /secrets`: no values. */
export interface SecretSummary {
  readonly name: string;
  readonly state: SecretState;
  readonly version: number | null;
  readonly obtained_at: string | null;
  /** `null`: it has no end, or nothing has been obtained. */
  readonly expires_at: string | null;
  readonly age_seconds: number | null;
  readonly stale: boolean;
}

export interface SecretsAnswer {
  readonly secrets: readonly SecretSummary[];
}

/** `GET /secrets/NAME`. `data` is written by the server as it came, so numbers keep every digit. */
export interface SecretAnswer {
  readonly name: string;
  readonly data: unknown;
  readonly version: number;
  readonly obtained_at: string;
  readonly expires_at: string | null;
  readonly age_seconds: number;
  readonly stale: boolean;
}

/** `POST /refused/NAME`. */
export interface RefusedAnswer {
  readonly name: string;
  /** `recent`: upstream was asked within the last seconds, and is not asked again. */
  readonly outcome: 'changed' | 'same' | 'failed' | 'recent';
  /** The one that is handed out now. */
  readonly version: number | null;
  readonly error?: ToldError;
}

/** `data` of an event `rotated`. */
export interface RotatedEvent {
  readonly name: string;
  readonly version: number;
}
