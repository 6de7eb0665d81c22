// Service accounts of 1Password: references are resolved by the vendor's library, many in one request, each of which counts.
import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { orAborted } from '../../base/time/aborted.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { version } from '../../version.ts';
import { readLoginFile } from '../cloud/login-file.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { createBatcher } from '../kind/batcher.ts';
import { loginFailed } from '../kind/bearer-calls.ts';
import { fieldsAnswer, valueAnswer } from '../kind/kind-answer.ts';
import { createKindGate } from '../kind/kind-gate.ts';
import type { KindClient } from '../kind/kind-source.ts';
import type { SourceOptions } from '../secret-source.ts';
import { type AccountApi, type AccountItem, loadAccountSdk, type ResolvedReference } from './account-sdk.ts';
import { canonicalItemPath, itemKey, oneTimeLife, onlyOne, plainFields } from './onepassword-item.ts';
import type { OnepasswordUpstreamConfig } from './onepassword-kind.ts';
import { type ItemPath, parseItemPath } from './onepassword-path.ts';

const mostInBatch = 50;
/** The service does not say how long; an hour is what its limit is for, and it may be over at any time of it. */
const limitedMs = 300_000;

export function createAccountClient(options: SourceOptions<OnepasswordUpstreamConfig>): KindClient {
  const { config, clock } = options;
  const gate = createKindGate(options, config.budget);
  /** Vault and item of references and items that were found, as one place. */
  const places = new BoundedMap<string, string>(10_000);
  let session: { token: string; api: AccountApi } | undefined;

  async function open(): Promise<AccountApi> {
    const token = await tokenOf(options);
    if (session?.token === token) return session.api;
    const sdk = await loadAccountSdk(config.account?.sdkPath);
    try {
      const api = await sdk.createClient({
        auth: token,
        integrationName: 'Latchkey',
        integrationVersion: `v${version}`,
      });
      session = { token, api };
      options.observer?.loggedIn('ok');
      return api;
    } catch (error) {
      options.observer?.loggedIn('login_failed');
      throw asFailure(error, 'logging in');
    }
  }

  /** `units`: what it counts as there. */
  async function send<T>(
    units: number,
    { priority, promoted, signal }: RequestOptions,
    work: (api: AccountApi) => Promise<T>,
  ): Promise<T> {
    const api = await open();
    const passage = { lane: priority, promoted, signal, charge: { meter: 'reads', units } };
    const { answer } = await gate.pass(passage, async () => {
      try {
        return { status: 200, answer: await withinTime(work(api), signal) };
      } catch (error) {
        const failure = asFailure(error, 'a request');
        // The next request logs in again, with the token that there is then.
        if (failure.code === 'login_failed') session = undefined;
        throw failure;
      }
    });
    return answer;
  }

  /** The library knows no end of a request. */
  async function withinTime<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = clock.setTimer(config.timeoutMs, () =>
      late.reject(
        new UpstreamFailure('unavailable', `1Password does not answer within ${config.timeoutMs} ms`),
      ),
    );
    const answered = Promise.race([answer, late.promise]);
    answered.catch(() => undefined);
    try {
      return await orAborted(
        answered,
        signal,
        () => new LatchkeyError('aborted', 'the request was given up'),
      );
    } finally {
      timer.cancel();
    }
  }

  const batcher = createBatcher<ResolvedReference>({
    clock,
    most: mostInBatch,
    async run(references, request) {
      const answers = await send(references.length, request, async (api) => {
        const { individualResponses } = await api.secrets.resolveAll([...references]);
        return individualResponses;
      });
      return new Map(
        references.map((reference) => [reference, answers[reference] ?? { error: { type: 'other' } }]),
      );
    },
  });

  async function readField(path: ItemPath, request: RequestOptions): Promise<SecretAnswer> {
    const { content, error } = await batcher.ask(referenceOf(path), request);
    if (content === undefined) throw notResolved(error?.type ?? 'other', path);
    places.set(itemKey(path), `${content.vaultId}/${content.itemId}`);
    const value = Buffer.from(content.secret);
    if (path.attribute !== 'otp') return valueAnswer(value, {});
    return valueAnswer(value, oneTimeLife(clock.wall()));
  }

  async function readItem(path: ItemPath, request: RequestOptions): Promise<SecretAnswer> {
    const [vaultId = '', itemId = ''] = (places.get(itemKey(path)) ?? (await find(path, request))).split('/');
    const item = await send(1, request, (api) => api.items.get(vaultId, itemId));
    return fieldsAnswer(fieldsOf(item), { versionId: String(item.version) });
  }

  async function find(path: ItemPath, request: RequestOptions): Promise<string> {
    const vaultId = idOf(await send(1, request, (api) => api.vaults.list()), path.vault, 'vault');
    const itemId = idOf(await send(1, request, (api) => api.items.list(vaultId)), path.item, 'item');
    places.set(itemKey(path), `${vaultId}/${itemId}`);
    return `${vaultId}/${itemId}`;
  }

  return {
    address: '1Password, by a service account',
    budget: gate.status,
    login: () => ({ method: 'service_account', state: session === undefined ? 'none' : 'logged_in' }),
    connect: async () => void (await open()),
    read({ path: text }, request) {
      const path = parseItemPath(text);
      return path.field === undefined ? readItem(path, request) : readField(path, request);
    },
    canonicalPath({ path }) {
      const parsed = parseItemPath(path);
      return canonicalItemPath(parsed, places.get(itemKey(parsed)));
    },
    close: async () => gate.close(),
  };
}

function referenceOf({ vault, item, section, field, attribute }: ItemPath): string {
  const parts = [vault, item, section, field].filter((part) => part !== undefined);
  return `op://${parts.join('/')}${attribute === undefined ? '' : `?attribute=${attribute}`}`;
}

/** As Connect has them, which calls titles labels. */
function fieldsOf({ fields, sections }: AccountItem) {
  return plainFields({
    sections: sections.map(({ id, title }) => ({ id, label: title })),
    fields: fields.map(({ id, title, sectionId, value }) => ({
      ...{ id, label: title, value },
      ...(sectionId === undefined || sectionId === '' ? {} : { section: { id: sectionId } }),
    })),
  });
}

function idOf(all: readonly { id: string; title: string }[], name: string, what: string): string {
  const found = all.filter(({ id, title }) => id === name || title.toLowerCase() === name.toLowerCase());
  return onlyOne(found, `${what} ${name}`).id;
}

const notThere: ReadonlySet<string> = new Set([
  'vaultNotFound',
  'itemNotFound',
  'fieldNotFound',
  'noMatchingSections',
  'sSHKeyMetadataNotFound',
]);

function notResolved(type: string, { vault, item, field }: ItemPath): LatchkeyError {
  const what = `${vault}/${item}/${field}`;
  if (notThere.has(type))
    return new LatchkeyError('not_found', `1Password has no ${what} for this account (${type})`);
  if (type === 'other') return new UpstreamFailure('unavailable', `1Password does not resolve ${what}`);
  return new LatchkeyError('request_invalid', `1Password does not resolve ${what} (${type})`);
}

/** Without the library's words, which may quote what it worked on. */
function asFailure(error: unknown, what: string): LatchkeyError {
  if (error instanceof LatchkeyError) return error;
  const { name } = error instanceof Error ? error.constructor : { name: 'unknown' };
  if (name === 'RateLimitExceededError') {
    return new UpstreamFailure('rate_limited', '1Password limits what this service account may read', {
      retryAfterMs: limitedMs,
      remedy:
        'raise refresh of the secrets, or set limits of this upstream to its part of what the account allows',
    });
  }
  const text = error instanceof Error ? error.message : '';
  if (name === 'AuthExpiredError' || /service account|token|unauthori[sz]ed|forbidden/i.test(text))
    return loginFailed(
      '1Password does not accept the service account',
      'check its token, and whether it was revoked',
    );
  return new UpstreamFailure('unavailable', `1Password fails in ${what}`, { wasSent: true });
}

async function tokenOf({ config, env, faultOf }: SourceOptions<OnepasswordUpstreamConfig>): Promise<string> {
  const { tokenFile } = config.account ?? {};
  const token =
    tokenFile === undefined
      ? (env['OP_SERVICE_ACCOUNT_TOKEN'] ?? '')
      : (await readLoginFile(tokenFile, { faultOf })).trim();
  if (token !== '') return token;
  throw loginFailed(
    'a service account of 1Password wants its token',
    'set service_account_token_file at this upstream, or $OP_SERVICE_ACCOUNT_TOKEN',
  );
}
