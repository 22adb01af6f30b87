/** Topic names: which are allowed, and which topics the broker writes by itself. */

/** Topics that clients may read but not write, as Kafka has them. */
const internalTopics: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

const LONGEST = 249
const allowed = /^[a-zA-Z0-9._-]+$/

export function isInternalTopic(name: string): boolean {
  return internalTopics.has(name)
}

/** 1 to 249 of letters, digits, dot, underscore and hyphen, and not `.` or `..`. */
export function isValidTopicName(name: string): boolean {
  return name.length <= LONGEST && allowed.test(name) && name !== '.' && name !== '..'
}
