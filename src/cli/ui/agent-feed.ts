// Follows the agent for as long as somebody looks, with the rights of the user who runs this command, and tells the page what
// differs: never more often than it takes to ask, and not at all while no page is open.
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { RotationStory } from '../../api/timeline.ts';
import { describeError } from '../../base/errors.ts';
import { followChanges } from '../../client/follow-changes.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { itemsOf, patchText } from './page-state.ts';

/** One event of the page: its name and its data as JSON. */
type Tell = (event: 'patch' | 'timeline' | 'agent', data: string) => void;

export interface AgentFeed {
  /** Tells all there is, then what differs, until what it returns is called. */
  watch(tell: Tell): () => void;
  close(): void;
}

/** Times between two questions: at least, and as many times what the last one took. */
const leastMs = 1000;
const restFactor = 10;
const retryMs = 1000;
const shownRotations = 12;
const shownSteps = 60;

export function createAgentFeed(socketPath: string): AgentFeed {
  const client = createTypedClient(socketPath);
  const watchers = new Set<Tell>();
  const host = hostname();
  let items: ReturnType<typeof itemsOf> | undefined;
  let timeline = '[]';
  let trouble: string | undefined;
  let following: AbortController | undefined;
  let isDue = false;
  let isAsking = false;

  function tellAll(...[event, data]: Parameters<Tell>): void {
    for (const tell of watchers) tell(event, data);
  }

  function tellTrouble(message: string | undefined): void {
    if (message === trouble) return;
    trouble = message;
    tellAll('agent', JSON.stringify({ trouble: message ?? null }));
  }

  async function ask(): Promise<void> {
    const status = await client.status();
    const next = itemsOf(status, host);
    const patch = patchText(items, next);
    items = next;
    if (patch !== undefined) tellAll('patch', patch);
    const { rotations } = await client.timeline(undefined, shownRotations);
    const text = JSON.stringify(rotations.map(shortened));
    if (text !== timeline) tellAll('timeline', text);
    timeline = text;
    tellTrouble(undefined);
  }

  /** What changes meanwhile is asked for after a rest. */
  async function askSoon(signal: AbortSignal): Promise<void> {
    isDue = true;
    if (isAsking) return;
    isAsking = true;
    while (isDue && !signal.aborted) {
      isDue = false;
      const begin = performance.now();
      await ask().catch((error: unknown) => tellTrouble(describeError(error)));
      const restMs = Math.max(leastMs, restFactor * (performance.now() - begin));
      await delay(restMs, undefined, { signal }).catch(() => undefined); // nobody looks any more
    }
    isAsking = false;
  }

  async function follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const onChange = (): void => void askSoon(signal);
      try {
        await followChanges({ socketPath, signal, onOpen: onChange, onEvent: onChange });
        tellTrouble('the agent has ended the connection');
      } catch (error) {
        tellTrouble(describeError(error));
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  function stop(): void {
    following?.abort();
    following = undefined;
    items = undefined;
  }

  return {
    watch(tell) {
      watchers.add(tell);
      if (trouble !== undefined) tell('agent', JSON.stringify({ trouble }));
      const all = items && patchText(undefined, items);
      if (all !== undefined) tell('patch', all);
      tell('timeline', timeline);
      if (following === undefined) {
        following = new AbortController();
        void follow(following.signal);
      }
      return () => {
        watchers.delete(tell);
        if (watchers.size === 0) stop();
      };
    },
    close: stop,
  };
}

function shortened(story: RotationStory): RotationStory {
  const { steps, omitted } = story;
  if (steps.length <= shownSteps) return story;
  const failed = steps.slice(shownSteps).filter(({ failure }) => failure !== null);
  const kept = [...steps.slice(0, shownSteps), ...failed];
  return { ...story, steps: kept, omitted: omitted + steps.length - kept.length };
}
