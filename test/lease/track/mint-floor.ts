import t from 'tap';
import { createMintFloor } from '../../../src/lease/track/mint-floor.ts';
import { defaultScheduleLimits } from '../../../src/lease/track/schedule-policy.ts';

t.test('holds a path for a twentieth of the life, a minute at most, a second at least', async (t) => {
  const floor = createMintFloor(defaultScheduleLimits);
  t.equal(floor.allowedAt('a'), 0);
  floor.note('a', 600_000, 1000);
  t.equal(floor.allowedAt('a'), 31_000);
  floor.note('a', 30 * 86_400_000, 1000);
  t.equal(floor.allowedAt('a'), 61_000);
  floor.note('a', 5000, 1000);
  t.equal(floor.allowedAt('a'), 2000);
  floor.note('a', 0, 1000);
  t.equal(floor.allowedAt('a'), 61_000, 'the longest where the life is not told');
  t.equal(floor.allowedAt('b'), 0);
});

t.test('counts a doubt only where the path is known to give credentials', async (t) => {
  const floor = createMintFloor(defaultScheduleLimits);
  floor.noteDoubt('a', 1000);
  t.equal(floor.allowedAt('a'), 0);
  floor.note('a', 600_000, 0);
  floor.noteDoubt('a', 100_000);
  t.equal(floor.allowedAt('a'), 130_000);
});

t.test('lets another be made at once where the last was revoked on purpose', async (t) => {
  const floor = createMintFloor(defaultScheduleLimits);
  floor.note('a', 600_000, 1000);
  floor.forgive('a');
  t.equal(floor.allowedAt('a'), 0);
  floor.noteDoubt('a', 2000);
  t.equal(floor.allowedAt('a'), 32_000, 'and still knows the path');
});

t.test('is that of the life that is left where that is shorter than what was told', async (t) => {
  const floor = createMintFloor(defaultScheduleLimits);
  floor.shorten('a', 5000);
  t.equal(floor.allowedAt('a'), 0, 'nothing was made there');
  floor.note('a', 3_600_000, 1000);
  floor.shorten('a', 41_000);
  t.equal(floor.allowedAt('a'), 3000);
  floor.shorten('a', 7_200_000);
  t.equal(floor.allowedAt('a'), 3000, 'and never longer again');
});
