import t from 'tap';
import { parseCgroup } from '../../src/access/cgroup.ts';

const id = 'ab'.repeat(32);
const nothing = { unit: undefined, container: undefined };
const cases: [string, string, { unit: string | undefined; container: string | undefined }][] = [
  ['a service', '0::/system.slice/billing.service\n', { unit: 'billing.service', container: undefined }],
  [
    'a delegated group below it',
    '0::/system.slice/billing.service/payload/x.service\n',
    { unit: 'billing.service', container: undefined },
  ],
  [
    'an instance in a slice of slices',
    '0::/a.slice/a-b.slice/app@1.service\n',
    { unit: 'app@1.service', container: undefined },
  ],
  [
    'a login session',
    '0::/user.slice/user-1000.slice/session-3.scope\n',
    { unit: 'session-3.scope', container: undefined },
  ],
  [
    'a unit of the user’s own manager',
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/billing.service\n',
    { unit: 'user@1000.service', container: undefined },
  ],
  [
    'a container that a user made up',
    `0::/user.slice/user-1000.slice/user@1000.service/docker-${id}.scope\n`,
    { unit: 'user@1000.service', container: undefined },
  ],
  [
    'docker under systemd',
    `0::/system.slice/docker-${id}.scope\n`,
    { unit: `docker-${id}.scope`, container: id },
  ],
  ['docker under cgroupfs', `0::/docker/${id}\n`, { unit: undefined, container: id }],
  [
    'kubernetes',
    `0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope\n`,
    { unit: `cri-containerd-${id}.scope`, container: id },
  ],
  [
    'a hybrid hierarchy: systemd’s own line',
    '4:memory:/x\n1:name=systemd:/system.slice/a.service\n0::/\n',
    { unit: 'a.service', container: undefined },
  ],
  [
    'a name that systemd escaped',
    '0::/system.slice/_cgroup.service\n',
    { unit: 'cgroup.service', container: undefined },
  ],
  ['the root', '0::/\n', nothing],
  ['a group outside the namespace', '0::/../../other\n', nothing],
  ['nothing', '', nothing],
];

for (const [name, text, expected] of cases) {
  t.test(`reads ${name}`, (t) => {
    const { unit, container } = parseCgroup(text);
    t.strictSame({ unit, container }, expected);
    t.end();
  });
}
