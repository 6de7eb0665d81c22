// Columns for people: as wide as their widest cell, two spaces between.
import { printable } from '../../base/text/printable.ts';

/** With a width the last column is cut to what is left of it, so that no line wraps; it keeps some room in any case. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width?: number,
): string {
  // Here and not on the whole: the end of a line within a cell would look like another row.
  const lines = [header, ...rows].map((line) => line.map(printable));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + gap, 0);
  const room = width === undefined ? Number.POSITIVE_INFINITY : Math.max(leastRoom, width - before);
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === header.length - 1 ? cut(cell, room) : cell.padEnd((widths[column] ?? 0) + gap),
        )
        .join('')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n');
}

const gap = 2;
const leastRoom = 12;

function cut(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
}

/** How long ago or how long until, short: `12s`, `4m`, `3h`, `2d`. */
export function formatSpan(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}
