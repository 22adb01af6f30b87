/**
 * OffsetFetch (9): the committed offsets of one group (to version 7) or of several, each of which
 * succeeds or fails by itself.
 *
 * Topics without a list mean all that the group has committed; of those, version 10 leaves out the ones whose id nobody
 * knows. A topic id that is unknown answers UNKNOWN_TOPIC_ID for its partitions, behind the others. A partition without
 * an offset, existing or not, has -1. Version 1 has no code of its own for the group: each partition carries it.
 */
import { ZERO_UUID } from '../../base/uuid.ts'
import type { OffsetFetchRequest, OffsetFetchResponseInput } from '../../protocol/apis/09-offset-fetch.ts'
import { offsetFetch } from '../../protocol/apis/09-offset-fetch.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { Answers } from '../answers.ts'
import type { Handler, RequestContext } from '../context.ts'

const GROUP_CODE_SINCE_VERSION = 2
const SEVERAL_SINCE_VERSION = 8
const IDS_SINCE_VERSION = 10

type Group = OffsetFetchRequest['groups'][number]
type Topic = NonNullable<Group['topics']>[number]
type GroupAnswer = NonNullable<OffsetFetchResponseInput['groups']>[number]
type TopicAnswer = GroupAnswer['topics'][number]

export const offsetFetchHandler: Handler<OffsetFetchRequest> = {
  apiKey: offsetFetch.key,

  async handle(context, request) {
    const answers = new Answers()
    const groups: GroupAnswer[] = []
    const whole = new Map<string, Promise<GroupAnswer>>()
    for (const group of groupsOf(request, context.version)) {
      const before = group.topics === null ? whole.get(group.groupId) : undefined
      const answer =
        before === undefined
          ? fetchOf(context, group, request.requireStable)
          : fetchAgain(context, group, request.requireStable, before)
      if (group.topics === null) whole.set(group.groupId, answer)
      answers.add(groups, answer)
    }
    await answers.all()
    return shaped(groups, context.version)
  },

  failure(request, errorCode) {
    const topics = (request.topics ?? []).map(({ name, partitionIndexes }) =>
      refused(name, ZERO_UUID, partitionIndexes, errorCode),
    )
    return { topics, errorCode, groups: request.groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })) }
  },
}

function groupsOf({ groupId, topics, groups }: OffsetFetchRequest, version: number): readonly Group[] {
  if (version >= SEVERAL_SINCE_VERSION) return groups
  const named = topics?.map(topic => ({ ...topic, topicId: ZERO_UUID })) ?? null
  return [{ groupId, memberId: null, memberEpoch: -1, topics: named }]
}

function shaped(groups: readonly GroupAnswer[], version: number): object {
  if (version >= SEVERAL_SINCE_VERSION) return { groups }
  const { topics, errorCode } = groups[0] as GroupAnswer
  return { topics, errorCode }
}

async function fetchOf(context: RequestContext, group: Group, requireStable: boolean): Promise<GroupAnswer> {
  const { broker, version } = context
  const byId = version >= IDS_SINCE_VERSION
  const unknown: TopicAnswer[] = []
  const topics = byId && group.topics !== null ? withNames(context, group.topics, unknown) : group.topics
  const answer = await broker.groups.fetchOffsets({ ...group, topics }, requireStable)
  if ((answer.errorCode ?? 0) !== ErrorCode.NONE) return failed(group, answer.errorCode as KafkaErrorCode, version)
  if (byId && topics === null) return { ...answer, topics: withIds(context, answer.topics) }
  return unknown.length === 0 ? answer : { ...answer, topics: [...answer.topics, ...unknown] }
}

/**
 * All of a group that was asked for in the same request: gathered once, for a short request could ask for any amount.
 * Only who asks is looked at each time.
 */
async function fetchAgain(
  context: RequestContext,
  group: Group,
  requireStable: boolean,
  before: Promise<GroupAnswer>,
): Promise<GroupAnswer> {
  const { errorCode, topics } = await before
  if ((errorCode ?? 0) !== ErrorCode.NONE) return fetchOf(context, group, requireStable)
  const asked = await fetchOf(context, { ...group, topics: [] }, requireStable)
  return (asked.errorCode ?? 0) === ErrorCode.NONE ? { ...asked, topics } : asked
}

function withNames(context: RequestContext, topics: readonly Topic[], unknown: TopicAnswer[]): Topic[] {
  const { topicsById } = context.broker.image()
  const known: Topic[] = []
  for (const topic of topics) {
    const { topicId, partitionIndexes } = topic
    const name = topicsById.get(topicId)?.name
    if (name !== undefined) known.push({ ...topic, name })
    else unknown.push(refused('', topicId, partitionIndexes, ErrorCode.UNKNOWN_TOPIC_ID))
  }
  return known
}

function withIds(context: RequestContext, topics: readonly TopicAnswer[]): TopicAnswer[] {
  const { topicsByName } = context.broker.image()
  const known: TopicAnswer[] = []
  for (const topic of topics) {
    const topicId = (topic.topicId ?? ZERO_UUID) === ZERO_UUID ? topicsByName.get(topic.name ?? '')?.id : topic.topicId
    if (topicId !== undefined) known.push({ ...topic, topicId })
  }
  return known
}

function failed({ groupId, topics }: Group, errorCode: KafkaErrorCode, version: number): GroupAnswer {
  if (version >= GROUP_CODE_SINCE_VERSION) return { groupId, topics: [], errorCode }
  const each = (topics ?? []).map(({ name, partitionIndexes }) => refused(name, ZERO_UUID, partitionIndexes, errorCode))
  return { groupId, topics: each, errorCode }
}

function refused(name: string, topicId: string, partitionIndexes: readonly number[], errorCode: number): TopicAnswer {
  const none = { committedOffset: -1n, committedLeaderEpoch: -1, metadata: '', errorCode }
  return { name, topicId, partitions: partitionIndexes.map(partitionIndex => ({ partitionIndex, ...none })) }
}
