// What the contract of sources needs of a kind: the kind's config against a store of secrets that the test changes.
import type { Test } from 'tap';
import type { FakeService } from '../fake-service.ts';

export interface KindFixture {
  /** The upstream as the config has it. */
  readonly config: object;
  readonly env?: Record<string, string>;
  /** Absent: it is no service that could be slow, limited or denied. */
  readonly service?: FakeService;
  /** The requests for one secret, not those of a login. */
  isRead?(request: { readonly path: string; readonly headers: object; readonly body: string }): boolean;
  /** Writes a secret of one value and gives its path. */
  put(name: string, value: string | Buffer): Promise<string> | string;
  /** Writes a secret of fields; absent: the kind has values alone. */
  putFields?(name: string, fields: Record<string, string>): Promise<string> | string;
  remove?(name: string): Promise<void> | void;
  /** From now on this secret is denied. */
  deny?(name: string): Promise<void> | void;
  /** The present credentials are worth nothing from now on; a new login gives others. */
  expireLogin?(): void;
  /** The most bytes of one value. */
  readonly largest: number;
  /** Whether a value may be any bytes. */
  readonly hasBinary: boolean;
  /** Names beyond ASCII. */
  readonly hasUnicodeNames: boolean;
  /** What it has never changes, as long as the agent lives. */
  readonly isFixed?: boolean;
  /** Whatever it answers is a value. */
  readonly isAnyAnswer?: boolean;
  /** Another path of the same secret, known to be the same after a read. */
  alias?(path: string): string;
  /** Does it say by itself that something changed? */
  readonly isPushed: boolean;
}

export interface KindCase {
  readonly kind: string;
  /** For tap: why it cannot run here. */
  readonly skip?: string | false;
  start(t: Test, options?: { timeout?: string }): Promise<KindFixture>;
}
