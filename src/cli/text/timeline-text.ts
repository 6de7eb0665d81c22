// The timeline of rotations for people: one line a step, with its offset, a bar where it lies, and what it was about.

import type { RotationStory, TimelineAnswer, TimelineStep } from '../../api/timeline.ts';
import { counted } from '../../base/text/counted.ts';
import { printable } from '../../base/text/printable.ts';
import { formatSpan } from './table.ts';

interface TextOptions {
  /** Wall time in milliseconds. */
  readonly now: number;
  readonly width: number;
}

const barWidth = 20;
const offsetWidth = 9;
const stepWidth = 11;

export function formatTimeline({ rotations }: TimelineAnswer, options: TextOptions): string {
  return rotations.map((story) => formatStory(story, options)).join('\n');
}

function formatStory(story: RotationStory, { now, width }: TextOptions): string {
  const { name, from_version: from, to_version: to, by, began_at: began, state, steps, omitted } = story;
  const { changed_upstream_at: changed } = story;
  const versions =
    to === null ? `version ${from ?? 'none'}, nothing new` : `version ${from ?? 'none'} → ${to}`;
  const ago = formatSpan(Math.max(0, now - Date.parse(began)));
  const head = `${name}: ${versions}, by ${byWords[by] ?? by}, ${ago} ago: ${verdict(story)}`;
  // What comes later waits for others; a bar for it would leave none for the rest.
  const scale = Math.max(story.milliseconds, 0.001);
  const lines = steps.flatMap((step) => formatStep(step, scale, width));
  if (omitted > 0) lines.push(`  … ${counted(omitted, 'more step')}`);
  if (state === 'running' && story.held_by.length > 0)
    lines.push(`  still held in an older version by ${story.held_by.join(', ')}`);
  const since =
    changed === null ? '' : `; changed upstream ${apart(Date.parse(changed) - Date.parse(began))}`;
  const all = [head, `  ${began}${since}`, ...lines];
  return `${all.map((line) => fit(line, width)).join('\n')}\n`;
}

const byWords: Readonly<Record<string, string>> = {
  poll: 'poll',
  push: "upstream's word",
  hook: 'a hook',
  lease: 'the end of its lease',
  asked: 'request',
  retry: 'a retry',
  together: 'another that changed',
  start: 'start',
};

/** By two clocks: upstream's may be ahead. */
function apart(ms: number): string {
  return `${shownMs(Math.abs(ms))} ${ms > 0 ? 'after (its clock is ahead)' : 'before'}`;
}

function verdict({ state, milliseconds }: RotationStory): string {
  if (state === 'done') return `in place in ${shownMs(milliseconds)}`;
  if (state === 'running') return 'under way';
  if (state === 'overtaken') return 'overtaken by the next';
  return state === 'nothing' ? 'nothing new came' : 'FAILING';
}

function formatStep(step: TimelineStep, scale: number, width: number): string[] {
  const { failure, subject, count } = step;
  const offset = shownMs(step.offset_ms).padStart(offsetWidth);
  const name = (failure === null ? step.step.replaceAll('_', ' ') : `${step.step} ✗`).padEnd(stepWidth);
  const line = `${offset}  ${bar(step, scale)}  ${name}${subject === null ? '' : ` ${subject}`}`.trimEnd();
  if (failure === null) return [line];
  const times = count === 1 ? '' : `${count} times: `;
  return [
    line,
    ...wrap(`${times}${failure.message} (${failure.code})`, width - offsetWidth - 4, offsetWidth + 4),
  ];
}

/** From the end of the step before to its own; an arrow for what came after all the rest. */
function bar({ offset_ms: end, took_ms: took }: TimelineStep, scale: number): string {
  if (end > scale) return '→'.padStart(barWidth);
  const cell = (ms: number): number =>
    Math.min(barWidth - 1, Math.floor((Math.max(0, ms) / scale) * barWidth));
  const [first, last] = [cell(end - took), cell(end)];
  return `${' '.repeat(first)}${'━'.repeat(last - first + 1)}`.padEnd(barWidth);
}

function shownMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : formatSpan(ms);
}

function fit(line: string, width: number): string {
  const text = printable(line);
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function wrap(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => `${' '.repeat(indent)}${one}`);
}
