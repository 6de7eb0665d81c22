// `latchkey timeline [NAME]`: what the last rotations did, step by step, with times and failures.
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { printJson, printText, say, terminalWidth } from '../output.ts';
import { formatTimeline } from '../text/timeline-text.ts';

interface TimelineOptions extends SocketOptions {
  name?: string | undefined;
  last: number;
  json: boolean;
}

/** 0: told, though it may be nothing; 1: the last rotation of a secret that was named has failed. */
export async function runTimeline(options: TimelineOptions): Promise<number> {
  const client = createTypedClient(await socketPathOf(options));
  const answer = await client.timeline(options.name, options.last);
  const { rotations, name, current_version: version, since } = answer;
  if (options.json) printJson(answer);
  else if (rotations.length > 0) {
    printText(formatTimeline(answer, { now: Date.now(), width: terminalWidth() ?? 80 }));
  } else {
    const what = name === null ? '' : `${name} (version ${version ?? 'none'}): `;
    say(`${what}no rotation since the agent started at ${since}`);
  }
  return options.name !== undefined && rotations[0]?.state === 'failing' ? 1 : 0;
}
