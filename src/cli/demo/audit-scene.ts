// The audit file is verified while the agent writes it; then a copy of it of which one letter was changed.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyAuditFiles } from '../../agent/offline/verify-audit-files.ts';
import type { DemoPlaces } from './demo-files.ts';
import type { AuditView } from './demo-view.ts';

/** Of the name of the secret in a line: whoever changes it wants somebody else to have been given it. */
const letter = /"name":"s/g;

export async function verifyBeforeTheViewer(places: DemoPlaces): Promise<AuditView> {
  const { lines, isIntact } = await verifyAuditFiles([places.audit]);
  const text = await readFile(places.audit, 'utf8');
  const found = [...text.matchAll(letter)];
  const at = found.at(Math.floor(found.length / 2))?.index;
  if (at === undefined) return { lines, isWhole: isIntact, tampered: '' };
  const copy = join(places.folder, 'audit-with-one-letter-changed.jsonl');
  const end = at + '"name":"s'.length;
  await writeFile(copy, `${text.slice(0, end - 1)}S${text.slice(end)}`);
  const [problem] = (await verifyAuditFiles([copy])).problems;
  const tampered = problem === undefined ? '' : `line ${problem.line}: ${problem.what}`;
  return { lines, isWhole: isIntact, tampered };
}
