// The name of a key of something that the config has, for messages.

/** `files[2]` and `mode`: `files[2].mode`; of several files `files[2] of /etc/latchkey/web.yaml`: `files[2].mode of /etc/…`. */
export function keyAt(place: string, key: string): string {
  const end = place.indexOf(' of /');
  return end < 0 ? `${place}.${key}` : `${place.slice(0, end)}.${key}${place.slice(end)}`;
}
