// Method `none`: there is no login. Whoever asks through a listener brings a token of their own.
import { LatchkeyError } from '../../../base/errors.ts';
import type { AuthMethod } from './auth-method.ts';

export function createNoMethod(): AuthMethod {
  return {
    async credentials() {
      throw new LatchkeyError('login_failed', 'auth.method is none: there is no token to ask with', {
        remedy: 'show a token with the request, or choose another auth.method',
      });
    },
  };
}
