/**
 * A map that never changes: `with` returns a new map that shares almost everything with the old one.
 *
 * Invariants: a trie of 32 branches over a 30-bit hash of the key; leaves hold entries in insertion order. One change
 * copies one path (about log32 n small arrays), so n changes cost n log n, whether they come one at a time or together.
 * Iteration order depends on keys alone within a leaf's history: deterministic, but not the order of insertion.
 */

type Entry<K, V> = readonly [K, V]

interface Leaf<K, V> {
  readonly entries: readonly Entry<K, V>[]
}
interface Branch<K, V> {
  readonly children: readonly (Node<K, V> | undefined)[]
}
type Node<K, V> = Leaf<K, V> | Branch<K, V>

const LEAF_MAX = 8
const HASH_BITS = 30

function hashOf(key: string | number): number {
  if (typeof key === 'number') return Math.imul(key, 0x9e3779b1) >>> 2
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x85ebca6b) >>> 2
}

function insert<K extends string | number, V>(
  node: Node<K, V> | undefined,
  entry: Entry<K, V>,
  hash: number,
  shift: number,
): Node<K, V> {
  if (node === undefined) return { entries: [entry] }
  if ('children' in node) {
    const slot = (hash >>> shift) & 31
    const children = node.children.slice()
    children[slot] = insert(children[slot], entry, hash, shift + 5)
    return { children }
  }
  const at = node.entries.findIndex(other => other[0] === entry[0])
  if (at >= 0) return { entries: node.entries.with(at, entry) }
  if (node.entries.length < LEAF_MAX || shift >= HASH_BITS) return { entries: [...node.entries, entry] }
  let branch: Node<K, V> = { children: new Array<Node<K, V> | undefined>(32).fill(undefined) }
  for (const other of node.entries) branch = insert(branch, other, hashOf(other[0]), shift)
  return insert(branch, entry, hash, shift)
}

function remove<K extends string | number, V>(
  node: Node<K, V> | undefined,
  key: K,
  hash: number,
  shift: number,
): Node<K, V> | undefined {
  if (node === undefined) return undefined
  if ('children' in node) {
    const slot = (hash >>> shift) & 31
    const before = node.children[slot]
    const after = remove(before, key, hash, shift + 5)
    if (after === before) return node
    const children = node.children.slice()
    children[slot] = after
    return children.every(child => child === undefined) ? undefined : { children }
  }
  const entries = node.entries.filter(entry => entry[0] !== key)
  if (entries.length === node.entries.length) return node
  return entries.length === 0 ? undefined : { entries }
}

function* walk<K, V>(node: Node<K, V> | undefined): Generator<Entry<K, V>, undefined> {
  if (node === undefined) return
  if ('children' in node) for (const child of node.children) yield* walk(child)
  else yield* node.entries
}

export class PersistentMap<K extends string | number, V> implements ReadonlyMap<K, V> {
  readonly #root: Node<K, V> | undefined
  readonly size: number

  private constructor(root: Node<K, V> | undefined, size: number) {
    this.#root = root
    this.size = size
  }

  static readonly empty = new PersistentMap<never, never>(undefined, 0)

  static of<K extends string | number, V>(): PersistentMap<K, V> {
    return PersistentMap.empty as unknown as PersistentMap<K, V>
  }

  get(key: K): V | undefined {
    return this.#find(key)?.[1]
  }

  has(key: K): boolean {
    return this.#find(key) !== undefined
  }

  /** This map with `key` set to `value`. */
  with(key: K, value: V): PersistentMap<K, V> {
    const size = this.has(key) ? this.size : this.size + 1
    return new PersistentMap(insert(this.#root, [key, value], hashOf(key), 0), size)
  }

  /** This map less `key`; itself when there is none. */
  without(key: K): PersistentMap<K, V> {
    if (!this.has(key)) return this
    return new PersistentMap(remove(this.#root, key, hashOf(key), 0), this.size - 1)
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) visit(value, key, this)
  }

  *entries(): Generator<[K, V], undefined> {
    for (const [key, value] of walk(this.#root)) yield [key, value]
  }

  *keys(): Generator<K, undefined> {
    for (const [key] of walk(this.#root)) yield key
  }

  *values(): Generator<V, undefined> {
    for (const [, value] of walk(this.#root)) yield value
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries()
  }

  #find(key: K): Entry<K, V> | undefined {
    const hash = hashOf(key)
    let node = this.#root
    for (let shift = 0; node !== undefined && 'children' in node; shift += 5)
      node = node.children[(hash >>> shift) & 31]
    return node?.entries.find(entry => entry[0] === key)
  }
}
