// What `/secrets`, `/secrets/NAME` and `/events` answer.

/** `pending`: not obtained yet; `stale`: upstream could not confirm it of late; `expired`: not handed out any more. */
export type SecretState = 'pending' | 'fresh' | 'stale' | 'expired';

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

/** `data` of an event `rotated`. */
export interface RotatedEvent {
  readonly name: string;
  readonly version: number;
}
