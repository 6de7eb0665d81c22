// Runs one template of a corpus as consul-template's configuration would have it rendered, against a vault that holds what its
// seed and meta file say.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { renderOnce } from '../../../src/agent/one-shot/one-shot.ts';
import { describeError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { loadConfigText } from '../../../src/config/load.ts';
import type { CorpusVault } from './corpus-vault.ts';
import { normalised } from './normalised.ts';

export interface TemplateMeta {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly replace: readonly (readonly [string, string])[];
  readonly sandbox_files?: Readonly<Record<string, string>>;
  readonly needs: readonly string[];
  readonly expected: 'bytes' | 'structure' | 'error' | 'refused';
  readonly consul_template_error?: string;
  readonly or_rendered?: unknown;
  readonly functions_without_source?: readonly string[];
  readonly pki_roles?: Readonly<Record<string, readonly string[]>>;
  readonly ssh_roles?: Readonly<Record<string, readonly string[]>>;
  readonly writes?: Readonly<
    Record<string, { mode: string; expected: 'bytes' | 'structure'; text?: string; base64?: string }>
  >;
}

export interface TemplateCase {
  readonly folder: string;
  /** `t001` */
  readonly id: string;
  readonly meta: TemplateMeta;
}

const limitMs = 20_000;

/** What differs, a line each; empty: nothing. */
export async function runTemplateCase(
  { folder, id, meta }: TemplateCase,
  vault: CorpusVault,
): Promise<string[]> {
  const work = mkdtempSync(join(tmpdir(), 'latchkey-corpus-'));
  try {
    const sandbox = join(work, 'sandbox');
    const space = await vault.prepare(join(folder, `${id}.seed.json`), meta);
    const outcome = await render(join(folder, `${id}.ctmpl`), meta, { work, sandbox, ...space });
    return judge({ folder, id, meta }, outcome, sandbox, space.address);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Outcome {
  readonly output: Buffer | undefined;
  readonly message: string;
}

async function render(
  source: string,
  meta: TemplateMeta,
  place: { work: string; sandbox: string; address: string; namespace: string; token: string },
): Promise<Outcome> {
  const { work, sandbox, address, namespace, token } = place;
  let text = readFileSync(source).toString('latin1');
  for (const [from, to] of meta.replace) {
    const wanted = Buffer.from(to.replaceAll('__SANDBOX__', sandbox)).toString('latin1');
    text = text.replaceAll(Buffer.from(from).toString('latin1'), () => wanted);
  }
  mkdirSync(sandbox);
  for (const [path, content] of Object.entries(meta.sandbox_files ?? {})) {
    mkdirSync(dirname(join(sandbox, path)), { recursive: true });
    writeFileSync(join(sandbox, path), content);
  }
  writeFileSync(join(work, meta.name), Buffer.from(text, 'latin1'));
  const destination = join(work, 'output');
  const config = `
    vault { address = ${JSON.stringify(address)} namespace = ${JSON.stringify(namespace)} }
    template {
      source = ${JSON.stringify(join(work, meta.name))}
      destination = ${JSON.stringify(destination)}
      sandbox_path = ${JSON.stringify(sandbox)}
    }`;
  const env = { ...meta.env, VAULT_TOKEN: token, PATH: process.env['PATH'] ?? '' };
  try {
    const log = {
      logger: silentLogger,
      level: () => 'silent' as const,
      setLevel() {},
      trouble: () => undefined,
      reopen: () => undefined,
      prepare: () => ({ commit: () => undefined, abandon: () => undefined }),
    };
    const { messages, failure } = await renderOnce({
      config: {
        ...loadConfigText(join(work, 'config.hcl'), config, { env, foreign: { tool: 'consul-template' } }),
        stateDir: work,
      },
      log,
      env,
      signal: AbortSignal.timeout(limitMs),
    });
    return {
      output: failure === undefined ? readFileSync(destination) : undefined,
      message: messages.join('\n'),
    };
  } catch (error) {
    return { output: undefined, message: describeError(error) };
  }
}

function judge(
  { folder, id, meta }: TemplateCase,
  { output, message }: Outcome,
  sandbox: string,
  address: string,
): string[] {
  if (meta.expected === 'refused') {
    const functions = meta.functions_without_source ?? [];
    if (output !== undefined) return ['rendered, and should be refused'];
    return functions.some((name) => message.includes(name))
      ? []
      : [`names none of ${functions.join(', ')}: ${message}`];
  }
  if (meta.expected === 'error') {
    if (output !== undefined) return meta.or_rendered === undefined ? ['rendered, and should fail'] : [];
    const line = /template: :(\d+):/.exec(meta.consul_template_error ?? '')?.[1];
    return line === undefined || message.includes(`${meta.name}:${line}`)
      ? []
      : [`expected an error in line ${line}: ${message}`];
  }
  if (output === undefined) return [`not rendered: ${message}`];
  const expected = readFileSync(join(folder, `${id}.expected`), 'utf8').replaceAll('__VAULT_ADDR__', address);
  const differences = compare('output', output, Buffer.from(expected, 'utf8'), meta.expected);
  for (const [path, written] of Object.entries(meta.writes ?? {}))
    differences.push(...checkWritten(join(sandbox, path), written));
  return differences;
}

function checkWritten(path: string, written: NonNullable<TemplateMeta['writes']>[string]): string[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return [`writeToFile wrote no ${path}`];
  const wanted =
    written.base64 === undefined
      ? Buffer.from(written.text ?? '', 'utf8')
      : Buffer.from(written.base64, 'base64');
  const differences = compare(path, readFileSync(path), wanted, written.expected);
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  return mode === written.mode
    ? differences
    : [...differences, `${path}: mode ${mode}, expected ${written.mode}`];
}

function compare(what: string, got: Buffer, wanted: Buffer, rule: 'bytes' | 'structure'): string[] {
  const isSame =
    rule === 'bytes' ? got.equals(wanted) : normalised(got.toString('utf8')) === wanted.toString('utf8');
  if (isSame) return [];
  const shown = rule === 'bytes' ? got.toString('utf8') : normalised(got.toString('utf8'));
  return [`${what}: expected ${JSON.stringify(wanted.toString('utf8'))}\n     got ${JSON.stringify(shown)}`];
}
