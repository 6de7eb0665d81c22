// The link of a page goes to the user's browser.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where there is a desktop; elsewhere the link is printed, and that is it. By a page that leads to it, in a file of the user's
 * own: all users of the host can read the words of a command.
 */
export function openInBrowser(link: string): (() => void) | undefined {
  const { DISPLAY, WAYLAND_DISPLAY, XDG_RUNTIME_DIR } = process.env;
  if (!XDG_RUNTIME_DIR || (!DISPLAY && !WAYLAND_DISPLAY)) return undefined;
  const folder = mkdtempSync(join(XDG_RUNTIME_DIR, 'latchkey-page-'));
  const page = join(folder, 'open.html');
  const text = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=${link}">`;
  writeFileSync(page, text, { mode: 0o600, flag: 'wx' });
  const child = spawn('xdg-open', [page], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined); // there is none
  child.unref();
  return () => rmSync(folder, { recursive: true, force: true });
}
