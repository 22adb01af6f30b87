/**
 * What the group as a whole subscribes to, with a change that is not replayed yet, and the epoch that follows from it.
 */
import type { MetadataImage } from '../../../metadata/image.ts'
import type { GroupRecord } from '../records.ts'
import type { SubscriptionCount } from './counts.ts'
import { addCount, addTopics, isHomogeneous } from './counts.ts'
import type { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { includesName, regexOf } from './member.ts'
import type { MetadataHashes } from './metadata-hash.ts'
import { groupEpochRecord, groupTombstone } from './records.ts'

/** How long a look at the topics holds when none of them changes. */
const REFRESH_INTERVAL_MS = 0x7fffffff

export interface SubscriptionChange {
  readonly group: ConsumerGroup
  readonly before: ConsumerMember
  readonly after: ConsumerMember
  /** The change itself asks for a new epoch. */
  readonly bump: boolean
}

/**
 * Looks at the topics again; writes a new epoch when they or the subscriptions are others than before.
 * @returns the epoch of the group.
 */
export function updateSubscription(
  { group, before, after, bump }: SubscriptionChange,
  { hashes, image, nowMs }: { hashes: MetadataHashes; image: MetadataImage; nowMs: number },
  records: GroupRecord[],
): number {
  const topics = topicsWith(group, before, after)
  const hash = hashes.ofTopics(topics.keys(), image)
  let { epoch } = group
  if (bump || hash !== group.metadataHash) {
    epoch += 1
    records.push(groupEpochRecord(group.groupId, epoch, hash))
  }
  group.refreshAfter(nowMs + REFRESH_INTERVAL_MS, epoch)
  // The record of a release before 4.1, which the hash replaces.
  if (group.hasTopicsRecord) records.push(groupTombstone('ConsumerGroupPartitionMetadata', group.groupId))
  return epoch
}

/** Whether all members read the same topics when `after` stands in for `before`, or is new. */
export function isHomogeneousWith(group: ConsumerGroup, before: ConsumerMember, after: ConsumerMember): boolean {
  const isNew = !group.hasMember(after.memberId) && group.staticMember(after.instanceId) === undefined
  const members = group.memberCount + (isNew ? 1 : 0)
  return isHomogeneous(topicsWith(group, before, after), regexesWith(group, before, after), members)
}

/** Topics without the members that go and the expressions that go with them. */
export function topicsWithout(
  group: ConsumerGroup,
  members: Iterable<ConsumerMember>,
  regexes: Iterable<string>,
): ReadonlyMap<string, SubscriptionCount> {
  const topics = new Map(group.topics)
  for (const member of members) addTopics(topics, member.subscribedTopicNames, 'byName', -1)
  for (const regex of regexes) addTopics(topics, group.resolvedRegexes.get(regex)?.topics ?? [], 'byRegex', -1)
  return topics
}

/** Whether a member subscribes to a topic, by name or by its expression as it is resolved now. */
export function subscriptionTest(
  group: ConsumerGroup,
  member: ConsumerMember,
  image: MetadataImage,
): (topicId: string) => boolean {
  const regex = regexOf(member)
  const resolved = regex === undefined ? undefined : group.resolvedRegexes.get(regex)?.topics
  return topicId => {
    const name = image.topicsById.get(topicId)?.name
    if (name === undefined) return false
    return includesName(member.subscribedTopicNames, name) || (resolved !== undefined && includesName(resolved, name))
  }
}

function topicsWith(
  group: ConsumerGroup,
  before: ConsumerMember,
  after: ConsumerMember,
): ReadonlyMap<string, SubscriptionCount> {
  const regex = regexOf(before)
  const dropsRegex = regex !== undefined && regex !== regexOf(after) && group.regexes.get(regex) === 1
  if (before.subscribedTopicNames === after.subscribedTopicNames && !dropsRegex) return group.topics
  const topics = new Map(group.topics)
  addTopics(topics, before.subscribedTopicNames, 'byName', -1)
  addTopics(topics, after.subscribedTopicNames, 'byName', 1)
  if (dropsRegex) addTopics(topics, group.resolvedRegexes.get(regex)?.topics ?? [], 'byRegex', -1)
  return topics
}

/** How many members subscribe to each expression when `after` stands in for `before`. */
export function regexesWith(
  group: ConsumerGroup,
  before: ConsumerMember,
  after: ConsumerMember,
): ReadonlyMap<string, number> {
  const regexBefore = regexOf(before)
  const regexAfter = regexOf(after)
  if (regexBefore === regexAfter) return group.regexes
  const regexes = new Map(group.regexes)
  if (regexBefore !== undefined) addCount(regexes, regexBefore, -1)
  if (regexAfter !== undefined) addCount(regexes, regexAfter, 1)
  return regexes
}
