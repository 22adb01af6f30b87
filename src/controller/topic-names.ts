/** Which names a topic may have. The rules are Kafka's. */

const MAX_LENGTH = 249

/** The metadata log is no topic, though it lies beside them. */
export const CLUSTER_METADATA_TOPIC = '__cluster_metadata'

/** What is wrong with `name`; undefined: nothing. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'Topic name is invalid: it is empty'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > MAX_LENGTH) {
    return `Topic name is invalid: '${name}' has ${name.length} characters, ${MAX_LENGTH} at most are allowed`
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' has characters other than ASCII letters and digits, '.', '_' and '-'`
  }
  return undefined
}

/**
 * Metric names write '.' as '_', so names that differ only there collide: the form that they share. undefined
 * for a name with neither.
 */
export function collisionKey(name: string): string | undefined {
  return /[._]/.test(name) ? name.replaceAll('.', '_') : undefined
}
