// A unified diff of two texts by lines (E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986). `show`
// prints each line, so that what must not be seen is masked after the comparison and not before.

type Edit = { readonly kind: ' ' | '-' | '+'; readonly line: string };

const contextLines = 3;
// Beyond this the search costs too much; the texts are then shown as wholly different.
const mostDifferences = 2000;

/** Empty when the texts are the same. */
export function lineDiff(before: string, after: string, show: (line: string) => string): string {
  const edits = compare(linesOf(before), linesOf(after));
  let text = '';
  for (const hunk of hunksOf(edits)) {
    text += `@@ -${hunk.oldStart},${hunk.oldCount} +${hunk.newStart},${hunk.newCount} @@\n`;
    for (const { kind, line } of hunk.edits) text += `${kind}${show(line)}\n`;
  }
  return text;
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

function compare(before: readonly string[], after: readonly string[]): Edit[] {
  const frontiers = search(before, after);
  if (frontiers === undefined) {
    return [...before.map((line) => edit('-', line)), ...after.map((line) => edit('+', line))];
  }
  const edits: Edit[] = [];
  let [x, y] = [before.length, after.length];
  for (let distance = frontiers.length - 1; distance > 0; distance -= 1) {
    const frontier = frontiers[distance - 1] ?? new Map<number, number>();
    const diagonal = x - y;
    const isDown = goesDown(frontier, diagonal, distance);
    const startX = frontier.get(isDown ? diagonal + 1 : diagonal - 1) ?? 0;
    const startY = startX - (isDown ? diagonal + 1 : diagonal - 1);
    while (x > startX + (isDown ? 0 : 1) && y > startY + (isDown ? 1 : 0)) {
      edits.push(edit(' ', before[x - 1]));
      [x, y] = [x - 1, y - 1];
    }
    edits.push(isDown ? edit('+', after[startY]) : edit('-', before[startX]));
    [x, y] = [startX, startY];
  }
  while (x > 0) {
    edits.push(edit(' ', before[x - 1]));
    x -= 1;
  }
  return edits.reverse();
}

/** The furthest point on each diagonal for each number of differences; undefined when there are too many. */
function search(before: readonly string[], after: readonly string[]): Map<number, number>[] | undefined {
  const frontiers: Map<number, number>[] = [];
  const most = Math.min(before.length + after.length, mostDifferences);
  for (let distance = 0; distance <= most; distance += 1) {
    const last = frontiers.at(-1) ?? new Map([[1, 0]]);
    const frontier = new Map<number, number>();
    frontiers.push(frontier);
    for (let diagonal = -distance; diagonal <= distance; diagonal += 2) {
      let x = goesDown(last, diagonal, distance)
        ? (last.get(diagonal + 1) ?? 0)
        : (last.get(diagonal - 1) ?? 0) + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x += 1;
      frontier.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return frontiers;
    }
  }
  return undefined;
}

function goesDown(last: ReadonlyMap<number, number>, diagonal: number, distance: number): boolean {
  if (diagonal === -distance) return true;
  return diagonal !== distance && (last.get(diagonal - 1) ?? -1) < (last.get(diagonal + 1) ?? -1);
}

interface Hunk {
  readonly oldStart: number;
  readonly newStart: number;
  oldCount: number;
  newCount: number;
  readonly edits: Edit[];
}

function hunksOf(edits: readonly Edit[]): Hunk[] {
  const hunks: Hunk[] = [];
  let [oldLine, newLine] = [1, 1];
  let hunk: Hunk | undefined;
  for (const [at, one] of edits.entries()) {
    const near = edits.slice(Math.max(0, at - contextLines), at + contextLines + 1);
    if (near.every(({ kind }) => kind === ' ')) hunk = undefined;
    else {
      if (hunk === undefined) {
        hunk = { oldStart: oldLine, newStart: newLine, oldCount: 0, newCount: 0, edits: [] };
        hunks.push(hunk);
      }
      hunk.edits.push(one);
      if (one.kind !== '+') hunk.oldCount += 1;
      if (one.kind !== '-') hunk.newCount += 1;
    }
    if (one.kind !== '+') oldLine += 1;
    if (one.kind !== '-') newLine += 1;
  }
  return hunks;
}

function edit(kind: Edit['kind'], line: string | undefined): Edit {
  return { kind, line: line ?? '' };
}
