/**
 * Where our message says in its own words what Apache Kafka's says in others. Codes and fields are the same; only texts
 * are in this table: Kafka's as a pattern, and ours, with what the pattern captured and * for what Kafka does not say.
 */
const words: readonly (readonly [RegExp, string])[] = [
  [/^GroupId can't be empty\.$/, 'The group id is empty.'],
  [/^MemberId can't be empty\.$/, 'The member id is empty.'],
  [/^InstanceId can't be empty\.$/, 'The instance id is empty.'],
  [/^RackId can't be empty\.$/, 'The rack id is empty.'],
  [/^InstanceId can't be null\.$/, 'Only a member with an instance id leaves for a while.'],
  [/^RebalanceTimeoutMs must be provided/, 'A member that joins brings its rebalance timeout.'],
  [/^TopicPartitions must be empty/, 'A member that joins owns no partitions, and says so.'],
  [
    /^Either SubscribedTopicNames/,
    'A member that joins brings the topics that it subscribes to, or a regular expression.',
  ],
  [/^MemberEpoch is invalid\.$/, 'There is no member epoch *.'],
  [/^ServerAssignor (.*) is not supported\. Supported assignors: (.*)\.$/, 'No assignor "$1" here; there is $2.'],
  [/^SubscribedTopicRegex `(.*)` is not a valid regular expression: (.*)\.$/, '"$1" is no regular expression: $2'],
  [/^(?:Consumer group|Group) (.*) not found\.$/, 'No consumer group $1.'],
  [/^Group (.*) is not a consumer group\.$/, 'No consumer group $1.'],
  [/^Member (.*) is not a member of group .*\.$/, 'No member $1 in the group.'],
  [
    /^The consumer group member has a (?:smaller|greater) member epoch \((.*)\) than the one known by the group coordinator \((.*)\)\./,
    'The member is at epoch $2, not $1; it has to give up everything and join again.',
  ],
  [
    /^The consumer group has reached its maximum capacity of (.*) members\.$/,
    'The group has $1 members, and may have no more.',
  ],
  [
    /^Static member .* with instance id (.*) cannot join the group because the instance id is owned by (?:a|.*) member\.$/,
    "The instance id $1 is member *'s, which has not left.",
  ],
  [/^Static member .* with instance id (.*) was fenced by member (.*)\.$/, "The instance id $1 is member $2's."],
  [/^Instance id (.*) is unknown\.$/, 'No member of the group has the instance id $1.'],
  [
    /^Cannot upgrade classic group (.*) to consumer group because the group does not use the consumer embedded protocol\.$/,
    'Group $1 stays a classic group: its members are no consumers.',
  ],
  [
    /^Cannot upgrade classic group (.*) to consumer group because the embedded consumer protocol is malformed\.$/,
    'Group $1 stays a classic group: what its members say of themselves cannot be read.',
  ],
  [/^This most likely occurs because of a request being malformed/, 'There is no coordinator of type *.'],
  [/^This most likely occurs because of a request being malformed/, 'This broker coordinates no share groups.'],
  [/^$/, 'This broker coordinates no share groups.'],
]

/** Whether two messages say the same. */
export function sayTheSame(kafkas: string, ours: string): boolean {
  if (kafkas === ours) return true
  return words.some(([pattern, template]) => {
    const match = pattern.exec(kafkas)
    if (match === null) return false
    const parts = template.split(/(\$\d|\*)/).map(part => {
      if (part === '*') return '.*'
      return literal(part.startsWith('$') ? match[Number(part[1])]! : part)
    })
    return new RegExp(`^${parts.join('')}$`, 's').test(ours)
  })
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
