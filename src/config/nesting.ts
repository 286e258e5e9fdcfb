// How deep a value from outside is nested. JSON.parse takes any depth; whatever walks the value afterwards does not.

/** Far beyond any real request or device. */
export const MAX_NESTING = 32;

/** True if collections are nested more than `max` deep in `value`. Looks no deeper than that itself. */
export function isNestedDeeper(value: unknown, max: number = MAX_NESTING): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return max === 0 || Object.values(value).some((item) => isNestedDeeper(item, max - 1));
}
