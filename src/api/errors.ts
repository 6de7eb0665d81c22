// How an error travels: the body of every answer outside 2xx, but under the paths of other dialects.
import type { ErrorCode } from '../base/errors.ts';

export interface ErrorAnswer {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}
