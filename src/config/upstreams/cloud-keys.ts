// Keys of a cloud that the file of another tool holds: its own rules allow that, ours do not.
import type { SecretValue } from '../../base/secret-value.ts';

export interface CloudKeys {
  readonly id: string;
  readonly secret: SecretValue;
  readonly sessionToken: SecretValue | undefined;
}
