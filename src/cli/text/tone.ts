// Colour on a terminal. A text carries marks (characters that stand for nothing) until it is written: so it can be measured
// and made harmless first, and only then, and only where it is wanted, they become colours.

export type Tone = 'good' | 'warn' | 'bad' | 'strong';

const tones: readonly Tone[] = ['good', 'warn', 'bad', 'strong'];
const codes: Readonly<Record<Tone, string>> = { good: '32', warn: '33', bad: '31;1', strong: '1' };
const firstMark = 0xf4a1;
const endMark = '\uf4a0';
const marks = /[\uf4a0-\uf4a4]/g;

export function toned(text: string, tone: Tone | undefined): string {
  const own = unmarked(text);
  if (tone === undefined || own === '') return own;
  return `${String.fromCharCode(firstMark + tones.indexOf(tone))}${own}${endMark}`;
}

/** Text of others' making has no say in colours. */
export function unmarked(text: string): string {
  return text.replace(marks, '');
}

/** In columns, without marks. */
export function lengthOf(text: string): number {
  return unmarked(text).length;
}

/** With colours, or without the marks. */
export function rendered(text: string, isColoured: boolean): string {
  return text.replace(marks, (mark) => {
    if (!isColoured) return '';
    const tone = tones[mark.charCodeAt(0) - firstMark];
    return `\u001b[${tone === undefined ? '0' : codes[tone]}m`;
  });
}

/** https://no-color.org: whatever it is set to, but not empty. */
export function isColoured(output: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return output.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}
