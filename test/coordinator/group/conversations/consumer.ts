/** Conversations with consumer groups (KIP-848): what a heartbeat may say, who gets what when. */
import { heartbeat } from '../../../../src/protocol/apis/12-heartbeat.ts'
import { deleteGroups } from '../../../../src/protocol/apis/42-delete-groups.ts'
import { consumerGroupHeartbeat } from '../../../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import type { Conversation, Talk } from '../../../support/conversation.ts'
import { describe, enter, type Owned, pulse } from './asking.ts'

/** What a member owns when it has only these partitions of one topic. */
function own(topic: { readonly id: string }, ...partitions: number[]): { topicPartitions: Owned } {
  return { topicPartitions: partitions.length === 0 ? [] : [{ topicId: topic.id, partitions }] }
}

/** A heartbeat that is sent again until it brings an assignment of any partitions. */
function untilAssigned(talk: Talk, groupId: string, memberId: string, memberEpoch: number) {
  return talk.until(memberId, consumerGroupHeartbeat, 1, { groupId, memberId, memberEpoch }, answer => {
    return (answer.assignment?.topicPartitions.length ?? 0) > 0
  })
}

export const consumer: readonly Conversation[] = [
  {
    id: 'k-invalid',
    name: 'a heartbeat is refused for what it lacks or contradicts',
    async body(talk) {
      const groupId = talk.named('group')
      const joins = { rebalanceTimeoutMs: 1_000, subscribedTopicNames: [], topicPartitions: [] }
      for (const version of [0, 1]) {
        const ask = (more: object) =>
          talk.send('a', consumerGroupHeartbeat, version, { groupId, memberId: 'm', memberEpoch: 0, ...more })
        await ask({ ...joins, groupId: '' })
        await ask({ groupId: '', memberId: '' })
        await ask({ memberId: '', memberEpoch: 1 })
        await ask({ memberId: '', memberEpoch: -1 })
        await ask({ memberId: '', memberEpoch: -2, instanceId: 'i' })
        if (version === 1) await ask({ ...joins, memberId: '' })
        await ask({ ...joins, instanceId: '' })
        await ask({ ...joins, rackId: '' })
        await ask({ memberEpoch: 1, instanceId: '' })
        await ask({})
        await ask({ rebalanceTimeoutMs: 1_000 })
        await ask({ rebalanceTimeoutMs: 1_000, topicPartitions: [] })
        await ask({ rebalanceTimeoutMs: 1_000, subscribedTopicNames: ['t'] })
        await ask({ ...joins, topicPartitions: [{ topicId: 'AAAAAAAAAAAAAAAAAAAACA', partitions: [0] }] })
        await ask({ ...joins, rebalanceTimeoutMs: -1 })
        await ask({ memberEpoch: -2 })
        await ask({ memberEpoch: -3 })
        await ask({ memberEpoch: -3, instanceId: 'i' })
        await ask({ memberEpoch: -(2 ** 31) })
        await ask({ ...joins, serverAssignor: 'other' })
        await ask({ ...joins, serverAssignor: '' })
        await ask({ ...joins, serverAssignor: 'UNIFORM' })
        await ask({ memberEpoch: 3, serverAssignor: 'other' })
        if (version === 1)
          for (const subscribedTopicRegex of ['[', '(a', '*', '\\', 'a{2,1}', '(?=a)b', '\\1'])
            await ask({ ...joins, subscribedTopicNames: null, subscribedTopicRegex })
        await ask({ memberEpoch: 1 })
        await ask({ memberEpoch: -1 })
        await ask({ memberEpoch: -2, instanceId: 'i' })
        await ask({ memberEpoch: -1, instanceId: 'i' })
      }
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-life',
    name: 'a member joins, gets its partitions, keeps quiet and leaves, in both versions',
    async body(talk) {
      const topic = await talk.topic('topic', 3)
      for (const version of [0, 1]) {
        const groupId = talk.named(`v${version}`)
        const first = await enter(talk, groupId, version === 0 ? '' : 'a', [topic.name], {}, version)
        const id = first.memberId!
        const beat = (epoch: number, more: object = {}) =>
          talk.send('a', consumerGroupHeartbeat, version, { groupId, memberId: id, memberEpoch: epoch, ...more })
        await describe(talk, groupId)
        await beat(2)
        await beat(2, own(topic, 0, 1, 2))
        await beat(2)
        await describe(talk, groupId)
        await beat(2, { ...own(topic, 0, 1, 2), rebalanceTimeoutMs: 60_000, subscribedTopicNames: [topic.name] })
        await beat(2, { subscribedTopicNames: [topic.name, talk.named('unknown')] })
        await beat(2)
        await beat(3, { rackId: 'r', instanceId: null })
        await describe(talk, groupId)
        await beat(3, { subscribedTopicNames: [] })
        await beat(4, { topicPartitions: [] })
        await beat(4)
        await describe(talk, groupId)
        await beat(-1)
        await beat(-1)
        await beat(4)
        await beat(0)
        await describe(talk, groupId)
        await talk.send('admin', deleteGroups, 2, { groupsNames: [groupId] })
        await describe(talk, groupId)
      }
    },
  },
  {
    id: 'k-generated',
    name: 'a member keeps the id that version 0 gave it, or the one that it brought',
    async body(talk) {
      const groupId = talk.named('group')
      const made = await enter(talk, groupId, '', [], {}, 0)
      await talk.send('a', consumerGroupHeartbeat, 0, { groupId, memberId: made.memberId!, memberEpoch: 1 })
      await enter(talk, groupId, 'brought', [], {}, 0)
      await enter(talk, groupId, 'brought', [], {}, 1)
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-epochs',
    name: 'another epoch than the present one is fenced, but the one before with what was owned then',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      await enter(talk, groupId, 'a', [topic.name])
      await pulse(talk, groupId, 'a', 2, own(topic, 0, 1))
      for (const epoch of [3, 7, 2 ** 31 - 1]) await pulse(talk, groupId, 'a', epoch)
      await pulse(talk, groupId, 'stranger', 2)
      await pulse(talk, groupId, 'stranger', 3)
      await pulse(talk, groupId, 'stranger', -1)
      // The answer with epoch 3 gets lost.
      await pulse(talk, groupId, 'a', 2, { subscribedTopicNames: [topic.name, talk.named('more')] })
      await pulse(talk, groupId, 'a', 2)
      await pulse(talk, groupId, 'a', 2, own(topic, 0))
      await pulse(talk, groupId, 'a', 2, own(topic))
      await pulse(talk, groupId, 'a', 2, own(topic, 0, 1))
      await pulse(talk, groupId, 'a', 2, own(topic, 0, 1, 2))
      await pulse(talk, groupId, 'a', 2, own({ id: 'AAAAAAAAAAAAAAAAAAAACA' }, 0))
      await pulse(talk, groupId, 'a', 3)
      await pulse(talk, groupId, 'a', 3, { subscribedTopicNames: [topic.name] })
      await pulse(talk, groupId, 'a', 2, own(topic, 0, 1))
      await pulse(talk, groupId, 'a', 3, own(topic, 0, 1))
      await pulse(talk, groupId, 'a', 4, own(topic, 0, 1))
      // Joining again is always possible.
      await enter(talk, groupId, 'a', [topic.name])
      await enter(talk, groupId, 'a', [])
      await pulse(talk, groupId, 'a', 4)
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-two',
    name: 'a second member gets its half when the first has given it up',
    async body(talk) {
      const topic = await talk.topic('topic', 4)
      const groupId = talk.named('group')
      await enter(talk, groupId, 'a', [topic.name])
      await pulse(talk, groupId, 'a', 2, own(topic, 0, 1, 2, 3))
      await enter(talk, groupId, 'b', [topic.name])
      await pulse(talk, groupId, 'b', 3, own(topic))
      await describe(talk, groupId)
      const asked = await pulse(talk, groupId, 'a', 2)
      await pulse(talk, groupId, 'b', 3)
      await pulse(talk, groupId, 'a', 2)
      await pulse(talk, groupId, 'a', 2, own(topic, 0, 1, 2, 3))
      await pulse(talk, groupId, 'b', 3)
      await describe(talk, groupId)
      const kept = asked.assignment!.topicPartitions
      await pulse(talk, groupId, 'a', 2, { topicPartitions: kept })
      await describe(talk, groupId)
      const got = await pulse(talk, groupId, 'b', 3)
      await pulse(talk, groupId, 'b', 3)
      await pulse(talk, groupId, 'b', 3, { topicPartitions: got.assignment!.topicPartitions })
      await pulse(talk, groupId, 'a', 3, { topicPartitions: kept })
      await describe(talk, groupId)
      await pulse(talk, groupId, 'a', -1)
      await pulse(talk, groupId, 'b', 3)
      await pulse(talk, groupId, 'b', 4, own(topic, 0, 1, 2, 3))
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-three',
    name: 'three members come and go, and what one has not given up stays unassigned',
    async body(talk) {
      const topic = await talk.topic('topic', 6)
      const groupId = talk.named('group')
      await enter(talk, groupId, 'a', [topic.name])
      await pulse(talk, groupId, 'a', 2, own(topic, 0, 1, 2, 3, 4, 5))
      await enter(talk, groupId, 'b', [topic.name])
      await enter(talk, groupId, 'c', [topic.name])
      await describe(talk, groupId)
      const a = (await pulse(talk, groupId, 'a', 2)).assignment!.topicPartitions
      await pulse(talk, groupId, 'b', 3)
      await pulse(talk, groupId, 'b', 4)
      await pulse(talk, groupId, 'a', 2, { topicPartitions: a })
      const b = (await pulse(talk, groupId, 'b', 4)).assignment!.topicPartitions
      const c = (await pulse(talk, groupId, 'c', 4)).assignment!.topicPartitions
      await pulse(talk, groupId, 'b', 4, { topicPartitions: b })
      await pulse(talk, groupId, 'c', 4, { topicPartitions: c })
      await describe(talk, groupId)
      // One asks for less while another leaves.
      await pulse(talk, groupId, 'b', 4, { subscribedTopicNames: [] })
      await pulse(talk, groupId, 'c', -1)
      await pulse(talk, groupId, 'a', 4, { topicPartitions: a })
      await describe(talk, groupId)
      await pulse(talk, groupId, 'b', 4, { topicPartitions: [] })
      await pulse(talk, groupId, 'a', 6)
      await pulse(talk, groupId, 'a', 6, own(topic, 0, 1, 2, 3, 4, 5))
      await pulse(talk, groupId, 'b', 6)
      await describe(talk, groupId)
      await enter(talk, groupId, 'd', [topic.name], { serverAssignor: 'range' })
      await enter(talk, groupId, 'e', [topic.name])
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-assignors',
    name: 'the assignor is the one that most members prefer',
    async body(talk) {
      const topic = await talk.topic('topic', 5)
      const groupId = talk.named('group')
      await enter(talk, groupId, 'a', [topic.name], { serverAssignor: 'range' })
      await describe(talk, groupId)
      await enter(talk, groupId, 'b', [topic.name])
      await describe(talk, groupId)
      await pulse(talk, groupId, 'a', 2, { ...own(topic, 0, 1, 2, 3, 4), serverAssignor: 'uniform' })
      await describe(talk, groupId)
      await pulse(talk, groupId, 'b', 3, { serverAssignor: 'range' })
      await enter(talk, groupId, 'c', [topic.name], { serverAssignor: 'range' })
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-full',
    name: 'a full consumer group takes nobody more',
    async body(talk) {
      const groupId = talk.named('group')
      for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await enter(talk, groupId, id, [])
      await enter(talk, groupId, 's', [], { instanceId: 'i' })
      await enter(talk, groupId, 'b', [])
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-static',
    name: 'a static member goes for a while and comes back to what it had',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      const its = { instanceId: 'i' }
      await enter(talk, groupId, 'a', [topic.name], its)
      await pulse(talk, groupId, 'a', 2, { ...its, ...own(topic, 0, 1) })
      // Who else wants the instance id.
      await enter(talk, groupId, 'b', [topic.name], its)
      await pulse(talk, groupId, 'b', 2, its)
      await pulse(talk, groupId, 'b', -1, its)
      await pulse(talk, groupId, 'b', -2, its)
      await pulse(talk, groupId, 'a', 2, { instanceId: 'j' })
      await pulse(talk, groupId, 'a', -2, { instanceId: 'j' })
      await pulse(talk, groupId, 'a', -2)
      await pulse(talk, groupId, 'a', 2)
      await pulse(talk, groupId, 'a', -2, its)
      await describe(talk, groupId)
      await pulse(talk, groupId, 'a', 2, its)
      await pulse(talk, groupId, 'a', -2, its)
      await enter(talk, groupId, 'b', [topic.name], its)
      await describe(talk, groupId)
      await pulse(talk, groupId, 'a', 2, its)
      await pulse(talk, groupId, 'a', -1, its)
      await pulse(talk, groupId, 'b', 2, { ...its, ...own(topic, 0, 1) })
      await pulse(talk, groupId, 'b', -2, its)
      await enter(talk, groupId, 'c', [talk.named('other')], its)
      await describe(talk, groupId)
      await pulse(talk, groupId, 'c', 3, its)
      await enter(talk, groupId, 'c', [topic.name], its)
      await describe(talk, groupId)
      await pulse(talk, groupId, 'c', -1, its)
      await describe(talk, groupId)
      await enter(talk, groupId, 'd', [topic.name], its)
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-static-two',
    name: 'what a static member left behind is not given to others, until it leaves for good',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      const its = { instanceId: 'i' }
      await enter(talk, groupId, 'a', [topic.name], its)
      await enter(talk, groupId, 'b', [topic.name])
      const kept = (await pulse(talk, groupId, 'a', 2, { ...its, ...own(topic, 0, 1) })).assignment!.topicPartitions
      await pulse(talk, groupId, 'a', 2, { ...its, topicPartitions: kept })
      const got = (await pulse(talk, groupId, 'b', 3)).assignment!.topicPartitions
      await pulse(talk, groupId, 'b', 3, { topicPartitions: got })
      await pulse(talk, groupId, 'a', -2, its)
      await pulse(talk, groupId, 'b', 3)
      await describe(talk, groupId)
      await enter(talk, groupId, 'a2', [topic.name], its)
      await pulse(talk, groupId, 'b', 3)
      await pulse(talk, groupId, 'a2', -1, its)
      await pulse(talk, groupId, 'b', 3)
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-regex',
    name: 'a regular expression subscribes to the topics that it matches',
    async body(talk) {
      const one = await talk.topic('red-1')
      await talk.topic('red-2', 2)
      await talk.topic('blue')
      const groupId = talk.named('group')
      const red = { subscribedTopicRegex: `${talk.id}\\.red-.*` }
      const first = await enter(talk, groupId, 'a', null, red)
      const { memberEpoch, assignment } = await untilAssigned(talk, groupId, 'a', first.memberEpoch)
      await pulse(talk, groupId, 'a', memberEpoch, { topicPartitions: assignment!.topicPartitions })
      await describe(talk, groupId)
      await enter(talk, talk.named('nothing'), 'b', null, { subscribedTopicRegex: 'matches-nothing' })
      await enter(talk, talk.named('empty'), 'c', null, { subscribedTopicRegex: '' })
      await describe(talk, talk.named('empty'))
      // Anchored at both ends, so this is not a match.
      await enter(talk, talk.named('part'), 'd', null, { subscribedTopicRegex: 'red-1' })
      // With names beside it.
      const both = talk.named('both')
      await enter(talk, both, 'e', [one.name], { subscribedTopicRegex: `${talk.id}\\.bl[ue]+` })
      await talk.until(
        'e',
        consumerGroupHeartbeat,
        1,
        { groupId: both, memberId: 'e', memberEpoch: 2 },
        each => each.memberEpoch > 2,
      )
      await describe(talk, both)
      await pulse(talk, both, 'e', 3, { subscribedTopicRegex: '' })
      await describe(talk, both)
      await pulse(talk, both, 'e', 4, { subscribedTopicRegex: '(' })
      await pulse(talk, both, 'e', 4)
    },
  },
  {
    id: 'k-classic-calls',
    name: 'the heartbeat of a classic group means nothing to a consumer group, and the other way round',
    async body(talk) {
      const groupId = talk.named('group')
      await enter(talk, groupId, 'a', [])
      for (const version of [0, 4]) {
        await talk.send('a', heartbeat, version, { groupId, memberId: 'a', generationId: 1 })
        await talk.send('a', heartbeat, version, { groupId, memberId: 'stranger', generationId: 1 })
      }
    },
  },
  {
    id: 'k-odd-ids',
    name: 'consumer groups have ids that are long or unprintable too',
    async body(talk) {
      for (const groupId of [talk.named('g'.repeat(32_000)), talk.named('\u0000\u0007\n\u{1f600}'), talk.named(' ')]) {
        await enter(talk, groupId, 'a', [])
        await pulse(talk, groupId, 'a', 1)
        await describe(talk, groupId)
        await pulse(talk, groupId, 'a', -1)
        await talk.send('admin', deleteGroups, 2, { groupsNames: [groupId] })
      }
      await enter(talk, talk.named('group'), 'm'.repeat(300), ['bad/name', '', 'a'.repeat(300)])
      await describe(talk, talk.named('group'))
    },
  },
  {
    id: 'k-grow',
    name: 'a topic that appears or grows is assigned with the next epoch',
    async body(talk) {
      const groupId = talk.named('group')
      const later = talk.named('later')
      const first = await enter(talk, groupId, 'a', [later])
      const topic = await talk.topic('later', 1)
      const { memberEpoch } = await untilAssigned(talk, groupId, 'a', first.memberEpoch)
      await pulse(talk, groupId, 'a', memberEpoch, own(topic, 0))
      await talk.grow(later, 3)
      const grown = await talk.until(
        'a',
        consumerGroupHeartbeat,
        1,
        { groupId, memberId: 'a', memberEpoch },
        answer => {
          return answer.memberEpoch > memberEpoch
        },
      )
      await pulse(talk, groupId, 'a', grown.memberEpoch, own(topic, 0, 1, 2))
      await describe(talk, groupId)
    },
  },
  {
    id: 'k-unknown',
    name: 'a group that is not there fences who says it is a member',
    async body(talk) {
      const groupId = talk.named('nobody')
      for (const epoch of [1, -1, 5]) await pulse(talk, groupId, 'a', epoch)
      await pulse(talk, groupId, 'a', -2, { instanceId: 'i' })
      await describe(talk, groupId)
      const { errorCode } = await enter(talk, groupId, 'a', [])
      if (errorCode !== ErrorCode.NONE) throw new Error(`join: ${errorCode}`)
      await pulse(talk, groupId, 'b', 1)
      await pulse(talk, groupId, 'b', -1)
      await pulse(talk, groupId, 'b', 1, { instanceId: 'i' })
      await pulse(talk, groupId, 'b', -1, { instanceId: 'i' })
      await pulse(talk, groupId, 'b', -2, { instanceId: 'i' })
    },
  },
]
