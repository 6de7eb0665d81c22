// `POST /refused/NAME`: a caller was refused with the secret that it got, so upstream is asked now and not at the next
// poll. For whoever may read it; asked no more often than such a caller could gain by.

import { routes } from '../../api/routes.ts';
import type { RefusedAnswer } from '../../api/secrets.ts';
import { BoundedMap } from '../../base/bounded-map.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed, segmentOf } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';

/** Of one secret, whoever asks. */
const shortestMs = 2_000;
const longestMs = 30_000;
const mostRemembered = 4096;

export function createRefusedSecrets({ view, clock }: ServerContext): (exchange: Exchange) => Promise<void> {
  /** When upstream was last asked, by the entry's key; monotonic. */
  const askedAt = new BoundedMap<string, number>(mostRemembered);

  return async (exchange) => {
    const name = view.names.nameOf(segmentOf(exchange, routes.refused));
    if (!exchange.permitsSecret(name)) {
      exchange.deny();
      return;
    }
    if (exchange.method !== routes.refused.method) {
      methodNotAllowed(exchange, routes.refused.method);
      return;
    }
    const entry = view.names.find(name)?.entry;
    if (entry === undefined) {
      exchange.fail('not_found', `there is no secret named ${JSON.stringify(name)}`);
      return;
    }
    const before = askedAt.get(entry.key);
    const isRecent = before !== undefined && clock.now() - before < shortestMs;
    if (!isRecent) {
      askedAt.set(entry.key, clock.now());
      await exchange.recordForward();
    }
    const [result] = isRecent ? [] : await view.refresh([name], AbortSignal.timeout(longestMs));
    exchange.answerJson(200, {
      name,
      outcome: result?.outcome ?? 'recent',
      version: entry.current === undefined ? null : shownVersion(entry.current),
      ...(result?.error === undefined ? {} : { error: result.error }),
    } satisfies RefusedAnswer);
  };
}
