// A certificate and its key, rotated while clients connect; test/soak/nginx-pair.ts is the long form.
import t from 'tap';
import { nginxMissing, rotateUnderNginx } from '../support/nginx-rotation.ts';

t.test('no handshake sees a certificate without its key', { skip: nginxMissing() }, async (t) => {
  const report = await rotateUnderNginx(t, 50);
  t.strictSame(report.errors, []);
  t.comment(`${report.handshakes} handshakes, ${report.certificates} certificates`);
  t.ok(report.certificates > 5);
});
