/**
 * How many members of a group subscribe to what, kept up as members and resolved expressions come and go.
 *
 * Invariants: a count of zero is no entry.
 */

/** Subscribers of a topic: members that name it, and expressions that stand for it. */
export interface SubscriptionCount {
  readonly byName: number
  readonly byRegex: number
}

/** A map that is kept, or a copy made to try a change. */
export interface Counts<V> {
  get(key: string): V | undefined
  set(key: string, count: V): unknown
  delete(key: string): unknown
}

const ONLY_NAME: SubscriptionCount = { byName: 1, byRegex: 0 }
const ONLY_REGEX: SubscriptionCount = { byName: 0, byRegex: 1 }

export function addCount(counts: Counts<number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change
  if (count <= 0) counts.delete(key)
  else counts.set(key, count)
}

export function addTopics(
  counts: Counts<SubscriptionCount>,
  topics: readonly string[],
  by: 'byName' | 'byRegex',
  change: 1 | -1,
): void {
  for (const topic of topics) {
    const before = counts.get(topic)
    if (before === undefined) {
      if (change === 1) counts.set(topic, by === 'byName' ? ONLY_NAME : ONLY_REGEX)
      continue
    }
    const byName = before.byName + (by === 'byName' ? change : 0)
    const byRegex = before.byRegex + (by === 'byRegex' ? change : 0)
    if (byName <= 0 && byRegex <= 0) counts.delete(topic)
    else counts.set(topic, { byName: Math.max(byName, 0), byRegex: Math.max(byRegex, 0) })
  }
}

/**
 * Whether all members read the same topics, which makes their assignment simpler: all name the same, or all subscribe
 * to one and the same expression and name nothing.
 */
export function isHomogeneous(
  topics: Pick<Map<string, SubscriptionCount>, 'values'>,
  regexes: ReadonlyMap<string, number>,
  members: number,
): boolean {
  if (regexes.size === 0) {
    for (const count of topics.values()) if (count.byName !== members) return false
    return true
  }
  for (const subscribers of regexes.values()) if (subscribers !== members) return false
  for (const count of topics.values()) if (count.byRegex !== 1 || count.byName > 0) return false
  return true
}
