// Tables whose rows are kept by key: what comes changes only the rows that differ, and the most urgent stand first.
import { byId, type Cell, element } from './dom.ts';

export interface Table<Item> {
  readonly id: string;
  readonly labels: readonly string[];
  readonly items: Map<string, Item>;
  readonly rows: Map<string, HTMLTableRowElement>;
  /** Higher comes first. */
  urgency(item: Item): number;
  matches(item: Item): boolean;
  cells(item: Item, key: string): readonly Cell[];
  /** Rows that stand below their own, opened by somebody. */
  readonly details: Map<string, HTMLTableRowElement>;
  shown: number;
}

/** Beyond these a button shows all: a thousand secrets are not drawn for nobody. */
export const rowsAtFirst = 200;

/** Its headings stand in the page already. */
export function table<Item>(
  id: string,
  parts: Pick<Table<Item>, 'urgency' | 'matches' | 'cells'>,
): Table<Item> {
  const labels = labelsOf(id);
  return { id, labels, items: new Map(), rows: new Map(), details: new Map(), shown: rowsAtFirst, ...parts };
}

/** The headings of the table in this section. */
export function labelsOf(id: string): readonly string[] {
  return [...byId(id).querySelectorAll('th')].map((heading) => heading.textContent);
}

/** A narrow page shows the labels beside them. */
export function cellsOf(labels: readonly string[], contents: readonly Cell[]): HTMLTableCellElement[] {
  return contents.map((content, index) => {
    const cell = element('td', {}, [content]);
    cell.dataset['label'] = labels[index] ?? '';
    cell.setAttribute('role', 'cell');
    return cell;
  });
}

export function rowOf(cells: readonly HTMLTableCellElement[]): HTMLTableRowElement {
  const row = element('tr', {}, cells);
  row.setAttribute('role', 'row');
  return row;
}

export function draw<Item>(of: Table<Item>, changed: ReadonlySet<string>): void {
  const body = byId(`${of.id}-rows`);
  const wanted = [...of.items]
    .filter(([, item]) => of.matches(item))
    .map(([key, item]) => ({ key, item, urgency: of.urgency(item) }))
    .sort((a, b) => b.urgency - a.urgency);
  const visible = wanted.slice(0, of.shown);
  const keys = new Set(visible.map(({ key }) => key));
  for (const [key, row] of of.rows) {
    if (keys.has(key)) continue;
    of.details.get(key)?.remove();
    row.remove();
    of.rows.delete(key);
  }
  let before: Element | null = null;
  for (const { key, item } of visible) {
    let row = of.rows.get(key);
    if (row === undefined || changed.has(key)) row = drawRow(of, key, item, row);
    const place: Element | null = before === null ? body.firstElementChild : before.nextElementSibling;
    if (place !== row) before === null ? body.prepend(row) : before.after(row);
    before = row;
    const detail = of.details.get(key);
    if (detail === undefined) continue;
    if (row.nextElementSibling !== detail) row.after(detail);
    before = detail;
  }
  byId(of.id).hidden = of.items.size === 0 && of.id !== 'secrets';
  const count =
    wanted.length === of.items.size ? String(of.items.size) : `${wanted.length} of ${of.items.size}`;
  byId(`${of.id}-count`).textContent = count;
  const more = byId(`${of.id}-more`);
  more.hidden = wanted.length <= visible.length;
  more.textContent = `Show all ${wanted.length}`;
}

function drawRow<Item>(
  of: Table<Item>,
  key: string,
  item: Item,
  old: HTMLTableRowElement | undefined,
): HTMLTableRowElement {
  const hadFocus = old?.contains(document.activeElement) === true;
  const row = old ?? rowOf([]);
  row.replaceChildren(...cellsOf(of.labels, of.cells(item, key)));
  if (old !== undefined) {
    row.classList.remove('fresh');
    void row.offsetWidth;
    row.classList.add('fresh');
  }
  of.rows.set(key, row);
  if (hadFocus) row.querySelector('button')?.focus();
  return row;
}

export function take<Item>(
  of: Table<Item>,
  patch: { set: readonly (readonly [string, Item])[]; gone: readonly string[] } | undefined,
): void {
  if (patch === undefined) return;
  for (const key of patch.gone) of.items.delete(key);
  for (const [key, item] of patch.set) of.items.set(key, item);
  draw(of, new Set(patch.set.map(([key]) => key)));
}
