// One rotation as it is drawn: a line that opens, and in it a bar for each step.
import type { RotationStory, TimelineStep } from '../../../api/timeline.ts';
import { counted } from '../../../base/text/counted.ts';
import { badge, element, shownMs, time } from './dom.ts';

const verdictWords: Readonly<Record<RotationStory['state'], string>> = {
  running: 'under way',
  done: 'done',
  failing: 'failing',
  overtaken: 'overtaken by the next',
  nothing: 'nothing new came',
};

export function drawStory(story: RotationStory, isOpen: boolean): HTMLElement {
  const {
    name,
    from_version: from,
    to_version: to,
    by,
    began_at: began,
    state,
    milliseconds: ms,
    steps,
    omitted,
  } = story;
  const summary = element('summary', {}, [
    badge(state),
    ` ${name}: version ${from ?? 'none'} → ${to ?? 'none'}, by ${by}, `,
    time(began, 'ago'),
    ` ago: ${state === 'done' ? `in place in ${shownMs(ms)}` : verdictWords[state]}`,
  ]);
  const list = element(
    'ol',
    { class: 'steps' },
    steps.map((step) => drawStep(step, Math.max(ms, 0.001))),
  );
  if (omitted > 0) list.append(element('li', { text: `… ${counted(omitted, 'more step')}` }));
  const details = element('details', {}, [summary, list]);
  details.open = isOpen;
  return element('li', {}, [details]);
}

/** `file:/etc/app.conf`, `caller:uid 0` */
function shownSubject(subject: string | null): string {
  return subject?.replace(/^([a-z]+):/, '$1 ') ?? '';
}

function drawStep(step: TimelineStep, scale: number): HTMLElement {
  const { failure, subject, count, offset_ms: end, took_ms: took } = step;
  const times = count > 1 ? `, ${count} times` : '';
  const whose =
    failure === null
      ? shownSubject(subject)
      : `${shownSubject(subject)} ${failure.message} (${failure.code}${times})`;
  return element('li', { class: failure === null ? '' : 'failed' }, [
    element('span', { text: shownMs(end), class: 'offset' }),
    bar(Math.max(0, end - took) / scale, Math.min(1, end / scale), end > scale),
    element('span', { text: `${step.step.replaceAll('_', ' ')}${failure === null ? '' : ' failed'}` }),
    element('span', { text: whose, class: 'whose' }),
  ]);
}

/** By attributes: the page allows no style of its own in elements. */
function bar(from: number, to: number, isLater: boolean): Element {
  const space = 'http://www.w3.org/2000/svg';
  const picture = document.createElementNS(space, 'svg');
  picture.setAttribute('viewBox', '0 0 100 10');
  picture.setAttribute('preserveAspectRatio', 'none');
  picture.setAttribute('aria-hidden', 'true');
  const box = document.createElementNS(space, 'rect');
  const [x, width] = isLater ? [97, 3] : [Math.min(98, from * 100), Math.max(2, (to - from) * 100)];
  for (const [name, value] of Object.entries({ x, y: 2, width, height: 6 }))
    box.setAttribute(name, String(value));
  picture.append(box);
  return picture;
}
