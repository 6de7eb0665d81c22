// Small requests to the metadata services and token endpoints of clouds: short, bounded, and errors that hold no answer.
import sendRequest from 'undici/lib/api/api-request.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../base/text/json.ts';
import { shownUrl } from '../../base/text/shown-url.ts';
import { roughDuration } from '../../base/time/duration.ts';

export interface MetadataRequest {
  /** For messages: `the AWS metadata service`. */
  readonly service: string;
  readonly url: string;
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly remedy: string;
  readonly signal: AbortSignal;
}

const timeoutMs = 10_000;
/** Services put up with five minutes. */
const skewMs = 240_000;
const largestAnswer = 1 << 20;

interface MetadataAnswer {
  readonly status: number;
  readonly challenge: string | undefined;
  /** How far the clock there is ahead of this host's; NaN where it tells no time. */
  readonly aheadMs: number;
  readonly text: string;
}

/** The text of a 200; throws `login_failed` that names the service, the address and the status. */
export async function metadataText(options: MetadataRequest): Promise<string> {
  const { status, text, aheadMs } = await ask(options);
  if (status === 200) return text;
  const { service, url } = options;
  const remedy = status < 500 && Math.abs(aheadMs) > skewMs ? clockRemedy(aheadMs) : options.remedy;
  throw new LatchkeyError('login_failed', `${service} at ${shownUrl(url)} answers ${status}`, { remedy });
}

function clockRemedy(aheadMs: number): string {
  const side = aheadMs > 0 ? 'behind' : 'ahead of';
  return `set the clock of this host: it is ${roughDuration(Math.abs(aheadMs))} ${side} that service's, and what is signed or asked for bears its time`;
}

/** What a 401 wants (`WWW-Authenticate`); undefined where it is none. */
export async function metadataChallenge(options: MetadataRequest): Promise<string | undefined> {
  const { status, challenge } = await ask(options);
  return status === 401 ? challenge : undefined;
}

async function ask(options: MetadataRequest): Promise<MetadataAnswer> {
  const { service, url, remedy } = options;
  const { origin, pathname, search } = new URL(url);
  const pool = new Pool(origin, { allowH2: false });
  try {
    const answer = await sendRequest.call(pool, {
      path: `${pathname}${search}`,
      method: options.method ?? 'GET',
      headers: { ...options.headers },
      body: options.body ?? null,
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]),
      reset: true,
    });
    const wanted = answer.headers['www-authenticate'];
    const challenge = typeof wanted === 'string' ? wanted : undefined;
    const aheadMs = Date.parse(String(answer.headers['date'])) - Date.now();
    return { status: answer.statusCode, challenge, aheadMs, text: await limitedText(answer.body) };
  } catch (error) {
    options.signal.throwIfAborted();
    const code = (error as { code?: unknown }).code ?? (error as Error).name;
    throw new LatchkeyError(
      'login_failed',
      `${service} at ${shownUrl(url)} does not answer (${String(code)})`,
      { cause: error, remedy },
    );
  } finally {
    void pool.destroy();
  }
}

/** As `metadataText`, for answers that are JSON objects. */
export async function metadataJson(options: MetadataRequest): Promise<JsonObject> {
  const text = await metadataText(options);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    // The parser's error would quote the answer, which holds credentials.
  }
  if (isJsonObject(value)) return value;
  throw new LatchkeyError('login_failed', `${options.service} at ${shownUrl(options.url)} answers no JSON`, {
    remedy: options.remedy,
  });
}

async function limitedText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > largestAnswer) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
