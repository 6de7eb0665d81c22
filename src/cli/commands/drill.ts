// `latchkey drill NAME`: a rehearsal by the running agent; nothing is written, programs are told only with --notify.
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { askAgentOrThrow } from '../local-client.ts';
import { formatTable } from '../table.ts';

interface DrillOptions extends SocketOptions {
  name: string;
  kind: 'rotation' | 'outage' | 'revocation';
  notify: boolean;
  json: boolean;
}

interface DrillAnswer {
  consumers: { consumer: string; outcome: string; note: string }[];
}

/** 0: no consumer would fail; 1: one would. */
export async function runDrill(options: DrillOptions): Promise<number> {
  const { name, kind, notify } = options;
  const answer = await askAgentOrThrow({
    socketPath: await socketPathOf(options),
    method: 'POST',
    path: `/drill/${encodeURIComponent(name)}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind, notify }),
  });
  const text = answer.body.toString('utf8').trimEnd();
  const { consumers } = JSON.parse(text) as DrillAnswer;
  if (options.json) process.stdout.write(`${text}\n`);
  else if (consumers.length === 0) process.stderr.write(`nothing depends on ${name}\n`);
  else
    process.stdout.write(
      formatTable(
        ['CONSUMER', 'OUTCOME', 'WHY'],
        consumers.map((one) => [one.consumer, one.outcome, one.note]),
      ),
    );
  return consumers.some(({ outcome }) => outcome === 'fails') ? 1 : 0;
}
