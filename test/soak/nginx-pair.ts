// A thousand rotations of a certificate and its key under nginx: `node test/soak/nginx-pair.ts [COUNT]`.
import t from 'tap';
import { nginxMissing, rotateUnderNginx } from '../support/nginx-rotation.ts';

const rotations = Number(process.argv[2] ?? 1000);

t.setTimeout(3_600_000);
t.test(`${rotations} rotations`, { skip: nginxMissing() }, async (t) => {
  const report = await rotateUnderNginx(t, rotations);
  t.comment(JSON.stringify(report));
  t.strictSame(report.errors, []);
});
