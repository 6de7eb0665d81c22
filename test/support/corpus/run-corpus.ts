// Every case of a corpus in some folders, and what came of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConfigExpectation, runConfigCase } from './config-corpus.ts';
import { startCorpusVault } from './corpus-vault.ts';
import { runTemplateCase, type TemplateCase, type TemplateMeta } from './template-corpus.ts';

export interface CorpusResult {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly differences: readonly string[] }[];
  /** Names by the reason. */
  readonly skipped: ReadonlyMap<string, readonly string[]>;
}

export async function runCorpus(folders: readonly string[]): Promise<CorpusResult> {
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  const failures: { name: string; differences: readonly string[] }[] = [];
  const skipped = new Map<string, string[]>();
  let passed = 0;
  const note = (name: string, differences: readonly string[]) => {
    if (differences.length > 0) failures.push({ name, differences });
    else passed++;
  };
  for (const file of files.filter((name) => name.endsWith('.expect.json')).sort()) {
    const stem = file.slice(0, -'.expect.json'.length);
    const config = [`${stem}.hcl`, `${stem}.json`].find((name) => existsSync(name));
    if (config === undefined) continue;
    const expected = JSON.parse(readFileSync(file, 'utf8')) as ConfigExpectation;
    note(
      config,
      attempt(() => runConfigCase(config, readFileSync(config, 'utf8'), expected)),
    );
  }
  const cases = files
    .filter((name) => name.endsWith('.meta.json'))
    .sort()
    .map(templateCase);
  if (cases.length > 0) await runTemplates(cases, note, skipped);
  return { passed, failures, skipped };
}

function templateCase(file: string): TemplateCase {
  const id = /([^/]+)\.meta\.json$/.exec(file)?.[1] ?? '';
  return { folder: join(file, '..'), id, meta: JSON.parse(readFileSync(file, 'utf8')) as TemplateMeta };
}

function attempt(run: () => readonly string[]): readonly string[] {
  try {
    return run();
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}

async function runTemplates(
  cases: readonly TemplateCase[],
  note: (name: string, differences: readonly string[]) => void,
  skipped: Map<string, string[]>,
): Promise<void> {
  const vault = await startCorpusVault();
  try {
    for (const one of cases) {
      if (one.meta.needs.includes('ssh') && !vault.isReal) {
        const reason = 'needs ssh, which the embedded vault has not; set LATCHKEY_TEST_VAULT';
        skipped.set(reason, [...(skipped.get(reason) ?? []), one.id]);
        continue;
      }
      const differences = await runTemplateCase(one, vault).catch((error: unknown) => [String(error)]);
      note(join(one.folder, one.id), differences);
    }
  } finally {
    await vault.close();
  }
}
