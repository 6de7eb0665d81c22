// For tests of what root alone may do, and of what does not stop root.

export const isRoot = process.getuid?.() === 0;

/** For tap's `skip`. */
export const needsRoot = isRoot ? false : 'needs root';
/** For tap's `skip`. */
export const needsNoRoot = isRoot ? 'root may do everything' : false;
