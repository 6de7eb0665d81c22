// Columns for people: as wide as their widest cell, two spaces between.
import { printable } from '../../base/text/printable.ts';
import { lengthOf } from './tone.ts';

/** With a width the widest columns are cut until no line wraps, the last one first; each keeps some room in any case. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width?: number,
): string {
  // Here and not on the whole: the end of a line within a cell would look like another row.
  const lines = [header, ...rows].map((line) => line.map(printable));
  const wanted = header.map((_, column) => Math.max(...lines.map((line) => lengthOf(line[column] ?? ''))));
  const widths = width === undefined ? wanted : fitted(wanted, width);
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const room = widths[column] ?? 0;
          const isLast = column === header.length - 1;
          const shown = isLast ? cutEnd(cell, room) : cutMiddle(cell, room);
          return isLast ? shown : shown + ' '.repeat(room - lengthOf(shown) + gap);
        })
        .join('')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n');
}

const gap = 2;
const leastRoom = 12;

function fitted(wanted: readonly number[], width: number): number[] {
  const widths = [...wanted];
  const last = widths.length - 1;
  const over = (): number => widths.reduce((sum, one) => sum + one + gap, -gap) - width;
  widths[last] = Math.max(Math.min(leastRoom, widths[last] ?? 0), (widths[last] ?? 0) - Math.max(0, over()));
  while (over() > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= leastRoom) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function cutEnd(text: string, room: number): string {
  return lengthOf(text) <= room ? text : `${text.slice(0, room - 1)}…`;
}

/** Of names and paths both ends tell more than the middle. */
function cutMiddle(text: string, room: number): string {
  if (lengthOf(text) <= room) return text;
  const end = Math.floor((room - 1) / 2);
  return `${text.slice(0, room - 1 - end)}…${text.slice(text.length - end)}`;
}

/** How long ago or how long until, short: `12s`, `4m`, `3h`, `2d`. */
export function formatSpan(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}
