/**
 * The part of the `reflect-metadata` proposal that tsyringe, which @peculiar/x509 is wired with, asks
 * for at load time. Must be imported before it.
 */
type Key = string | symbol;
const METADATA = new WeakMap<object, Map<Key, unknown>>();

const ownMetadata = (key: Key, target: object): unknown => METADATA.get(target)?.get(key);

function getMetadata(key: Key, target: object): unknown {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const value = ownMetadata(key, at);
    if (value !== undefined) return value;
  }
  return undefined;
}

function defineMetadata(key: Key, value: unknown, target: object): void {
  const map = METADATA.get(target) ?? new Map<Key, unknown>();
  METADATA.set(target, map.set(key, value));
}

if (!('getMetadata' in Reflect))
  Object.assign(Reflect, {
    defineMetadata,
    getMetadata,
    getOwnMetadata: ownMetadata,
    hasOwnMetadata: (key: Key, target: object) => ownMetadata(key, target) !== undefined,
  });
