// Changes that EventBridge puts into an SQS queue: asked for by long polls, told as names. A hint, never more: what is lost is
// found by the poll, what comes twice is read twice.

import { describeError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, objectsIn, parseJson } from '../../base/text/json.ts';
import { backoffDelayMs } from '../../base/time/backoff.ts';
import type { SourceOptions } from '../secret-source.ts';
import type { AwsCalls } from './aws-calls.ts';

export interface LabelEvents {
  close(): Promise<void>;
}

interface LabelEventsOptions extends Pick<SourceOptions<unknown>, 'clock' | 'logger' | 'random'> {
  readonly calls: AwsCalls;
  readonly queue: string;
  /** Names and ARNs of what has changed. */
  onChange(names: readonly string[]): void;
}

const retry = { minMs: 1000, maxMs: 60_000 };
const waitSeconds = 20;

export function startLabelEvents(options: LabelEventsOptions): LabelEvents {
  const { calls, queue, clock, logger, random, onChange } = options;
  const lifetime = new AbortController();
  const request = { priority: 'background', signal: lifetime.signal } as const;
  let failures = 0;

  async function receive(): Promise<void> {
    const body = { QueueUrl: queue, MaxNumberOfMessages: 10, WaitTimeSeconds: waitSeconds };
    const answer = await calls.call('sqs', 'AmazonSQS.ReceiveMessage', body, 'the queue of events', request);
    const messages = objectsIn(answer['Messages']);
    const names = messages.flatMap(({ Body: text }) => (typeof text === 'string' ? namesIn(text) : []));
    if (names.length > 0) onChange(names);
    if (messages.length === 0) return;
    const entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await calls.call(
      'sqs',
      'AmazonSQS.DeleteMessageBatch',
      { QueueUrl: queue, Entries: entries },
      'the queue of events',
      request,
    );
  }

  async function run(): Promise<void> {
    while (!lifetime.signal.aborted) {
      try {
        await receive();
        if (failures > 0) logger.info({ queue }, 'the queue of events is read again');
        failures = 0;
      } catch (error) {
        if (lifetime.signal.aborted) return;
        failures += 1;
        if (failures === 1)
          logger.warn(
            { queue, error: describeError(error) },
            'the queue of events cannot be read: changes are found by polling',
          );
        await clock.sleep(backoffDelayMs(failures, retry, random), lifetime.signal).catch(() => undefined); // closed
      }
    }
  }

  const running = run();
  return {
    async close() {
      lifetime.abort();
      await running;
    },
  };
}

/** Of EventBridge, straight or by way of SNS. */
function namesIn(text: string): string[] {
  const event = parsed(text);
  const inner = typeof event?.['Message'] === 'string' ? parsed(event['Message']) : event;
  const detail = inner?.['detail'];
  const resources = Array.isArray(inner?.['resources']) ? inner['resources'] : [];
  const fields = isJsonObject(detail)
    ? [detail['name'], detail['secretId'], detail['arn'], detail['secretArn'], detail['secretName']]
    : [];
  const request =
    isJsonObject(detail) && isJsonObject(detail['requestParameters'])
      ? [detail['requestParameters']['secretId']]
      : [];
  return [...new Set([...resources, ...fields, ...request].filter((name) => typeof name === 'string'))];
}

function parsed(text: string): JsonObject | undefined {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    // Of somebody else: it is deleted with the rest.
    return undefined;
  }
  return isJsonObject(value) ? value : undefined;
}
