// `latchkey drill NAME`: a rehearsal by the running agent; nothing is written, programs are told only with --notify.
import type { DrillKind } from '../../api/admin.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { printJson, printText, say } from '../output.ts';
import { formatTable } from '../text/table.ts';

interface DrillOptions extends SocketOptions {
  name: string;
  kind: DrillKind;
  notify: boolean;
  json: boolean;
}

/** 0: no consumer would fail; 1: one would. */
export async function runDrill(options: DrillOptions): Promise<number> {
  const { name, kind, notify } = options;
  const client = createTypedClient(await socketPathOf(options));
  const answer = await client.drill(name, { kind, notify });
  const { consumers } = answer;
  if (options.json) printJson(answer);
  else if (consumers.length === 0) say(`nothing depends on ${name}`);
  else
    printText(
      formatTable(
        ['CONSUMER', 'OUTCOME', 'WHY'],
        consumers.map((one) => [one.consumer, one.outcome, one.note]),
      ),
    );
  return consumers.some(({ outcome }) => outcome === 'fails') ? 1 : 0;
}
