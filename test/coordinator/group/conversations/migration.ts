/** Conversations with groups whose members speak both protocols, and those that change from one to the other. */
import { heartbeat } from '../../../../src/protocol/apis/12-heartbeat.ts'
import { leaveGroup } from '../../../../src/protocol/apis/13-leave-group.ts'
import { describeGroups } from '../../../../src/protocol/apis/15-describe-groups.ts'
import { listGroups } from '../../../../src/protocol/apis/16-list-groups.ts'
import type { Conversation, Talk } from '../../../support/conversation.ts'
import {
  assignment,
  beat,
  type ClassicMember,
  commit,
  describe,
  enter,
  join,
  memberId,
  opaque,
  pulse,
  subscription,
  sync,
} from './asking.ts'

/** What a consumer says when it joins, with what it owns. */
function consumes(topic: string, owned: readonly number[] = [], generationId = -1) {
  return {
    protocols: [
      { name: 'range', metadata: subscription([topic], owned.length === 0 ? [] : [[topic, owned]], generationId) },
    ],
  }
}

/** The only member of a classic group of consumers, which owns all `partitions` of a topic. */
async function consumesAlone(
  talk: Talk,
  who: string,
  groupId: string,
  topic: string,
  partitions: readonly number[],
): Promise<ClassicMember> {
  const id = await memberId(talk, who, groupId, consumes(topic))
  const member = await join(talk, who, groupId, { ...consumes(topic), memberId: id })
  await sync(talk, who, groupId, member, {
    assignments: [{ memberId: id, assignment: assignment([[topic, partitions]]) }],
  })
  return member
}

async function look(talk: Talk, groupId: string): Promise<void> {
  await describe(talk, groupId)
  await talk.send('admin', describeGroups, 6, { groups: [groupId] })
  await talk.send('admin', listGroups, 5, {})
}

export const migration: readonly Conversation[] = [
  {
    id: 'm-upgrade',
    name: 'a live classic group becomes a consumer group when a member of the new kind comes',
    async body(talk) {
      const topic = await talk.topic('topic', 4)
      const own = (...partitions: number[]) => ({
        topicPartitions: partitions.length > 0 ? [{ topicId: topic.id, partitions }] : [],
      })
      const groupId = talk.named('group')
      const a = await consumesAlone(talk, 'a', groupId, topic.name, [0, 1, 2, 3])
      await commit(talk, 'a', groupId, topic.name, 5n, a)
      await enter(talk, groupId, 'b', [topic.name])
      await look(talk, groupId)
      await beat(talk, 'a', groupId, a)
      await commit(talk, 'a', groupId, topic.name, 6n, a)
      await sync(talk, 'a', groupId, a)
      const again = await join(talk, 'a', groupId, { ...consumes(topic.name, [0, 1, 2, 3], 1), memberId: a.memberId })
      await beat(talk, 'a', groupId, again)
      await sync(talk, 'a', groupId, { ...again, generationId: 1 })
      await sync(talk, 'a', groupId, again, { protocolType: 'connect' })
      await sync(talk, 'a', groupId, again, { protocolName: 'other' })
      await sync(talk, 'a', groupId, again)
      await beat(talk, 'a', groupId, again)
      await pulse(talk, groupId, 'b', again.generationId)
      await look(talk, groupId)
      // It owns less now, and says so.
      const third = await join(talk, 'a', groupId, {
        ...consumes(topic.name, [0, 1], again.generationId),
        memberId: a.memberId,
      })
      await sync(talk, 'a', groupId, third)
      await pulse(talk, groupId, 'b', again.generationId, own())
      await pulse(talk, groupId, 'b', again.generationId)
      await beat(talk, 'a', groupId, third)
      await look(talk, groupId)
      for (const [id, generationId] of [
        [a.memberId, 1],
        [a.memberId, 99],
        ['stranger', 2],
        ['b', 2],
        ['', 2],
      ] as const)
        await beat(talk, 'a', groupId, { memberId: id, generationId })
      await commit(talk, 'a', groupId, topic.name, 7n, third)
      await commit(talk, 'a', groupId, topic.name, 7n, { ...third, generationId: 1 })
      await commit(talk, 'a', groupId, topic.name, 7n, { ...third, generationId: 99 })
      await commit(talk, 'a', groupId, topic.name, 7n, third, 8)
      await talk.send('a', leaveGroup, 5, {
        groupId,
        members: [{ memberId: 'b' }, { memberId: a.memberId }, { memberId: 'stranger' }],
      })
      await look(talk, groupId)
      await pulse(talk, groupId, 'b', again.generationId)
    },
  },
  {
    id: 'm-join',
    name: 'a classic member joins a consumer group, which checks its protocols and its subscription',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      await enter(talk, groupId, 'a', [topic.name])
      await pulse(talk, groupId, 'a', 1, { topicPartitions: [{ topicId: topic.id, partitions: [0, 1] }] })
      for (const version of [3, 4, 9]) {
        await join(talk, 'c', groupId, { ...consumes(topic.name), protocolType: 'connect' }, version)
        await join(talk, 'c', groupId, { protocols: [] }, version)
        await join(talk, 'c', groupId, { protocolType: '', protocols: [] }, version)
        await join(talk, 'c', groupId, { protocols: [{ name: 'range', metadata: opaque(1) }] }, version)
        await join(talk, 'c', groupId, { protocols: [{ name: 'range', metadata: opaque() }] }, version)
        await join(talk, 'c', groupId, { ...consumes(topic.name), memberId: 'made-up' }, version)
        await join(talk, 'c', groupId, { ...consumes(topic.name), sessionTimeoutMs: 1 }, version)
      }
      const id = await memberId(talk, 'c', groupId, consumes(topic.name))
      await describe(talk, groupId)
      const c = await join(talk, 'c', groupId, { ...consumes(topic.name), memberId: id })
      await sync(talk, 'c', groupId, c)
      await beat(talk, 'c', groupId, c)
      await pulse(talk, groupId, 'a', 1)
      await pulse(talk, groupId, 'a', 1, { topicPartitions: [{ topicId: topic.id, partitions: [0] }] })
      await beat(talk, 'c', groupId, c)
      const rejoined = await join(talk, 'c', groupId, { ...consumes(topic.name), memberId: id })
      await sync(talk, 'c', groupId, rejoined)
      await beat(talk, 'c', groupId, rejoined)
      await look(talk, groupId)
      await talk.send('c', leaveGroup, 2, { groupId, memberId: id })
      await talk.send('c', leaveGroup, 2, { groupId, memberId: id })
      await describe(talk, groupId)
      const d = await join(talk, 'd', groupId, consumes(topic.name), 3)
      await sync(talk, 'd', groupId, d, {}, 3)
      await describe(talk, groupId)
    },
  },
  {
    id: 'm-downgrade',
    name: 'a consumer group becomes classic again when its last member of the new kind goes',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      await enter(talk, groupId, 'a', [topic.name])
      const id = await memberId(talk, 'c', groupId, consumes(topic.name))
      const c = await join(talk, 'c', groupId, { ...consumes(topic.name), memberId: id })
      await sync(talk, 'c', groupId, c)
      await pulse(talk, groupId, 'a', -1)
      await look(talk, groupId)
      await beat(talk, 'c', groupId, c)
      const again = await join(talk, 'c', groupId, { ...consumes(topic.name), memberId: id })
      await sync(talk, 'c', groupId, again, {
        assignments: [{ memberId: id, assignment: assignment([[topic.name, [0, 1]]]) }],
      })
      await beat(talk, 'c', groupId, again)
      await look(talk, groupId)
      // And up once more.
      await enter(talk, groupId, 'a', [topic.name])
      await beat(talk, 'c', groupId, again)
      await look(talk, groupId)
      await talk.send('c', leaveGroup, 5, { groupId, members: [{ memberId: id }] })
      await describe(talk, groupId)
    },
  },
  {
    id: 'm-static',
    name: 'a static member changes its protocol in place',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      const its = { groupInstanceId: 'i' }
      const a = await join(talk, 'a', groupId, { ...consumes(topic.name), ...its })
      await sync(talk, 'a', groupId, a, {
        ...its,
        assignments: [{ memberId: a.memberId, assignment: assignment([[topic.name, [0, 1]]]) }],
      })
      // It holds the id still: the new one must wait, or replaces it.
      await enter(talk, groupId, 'b', [topic.name], { instanceId: 'i' })
      await look(talk, groupId)
      await beat(talk, 'a', groupId, a, 'i')
      await pulse(talk, groupId, 'b', 2, {
        instanceId: 'i',
        topicPartitions: [{ topicId: topic.id, partitions: [0, 1] }],
      })
      await join(talk, 'c', groupId, { ...consumes(topic.name), ...its })
      await pulse(talk, groupId, 'b', -2, { instanceId: 'i' })
      const c = await join(talk, 'c', groupId, { ...consumes(topic.name), ...its })
      await sync(talk, 'c', groupId, c, its)
      await look(talk, groupId)
      await talk.send('c', leaveGroup, 5, { groupId, members: [{ memberId: '', groupInstanceId: 'i' }] })
      await look(talk, groupId)
    },
  },
  {
    id: 'm-two-classic',
    name: 'two classic members and one of the new kind rebalance together',
    async body(talk) {
      const topic = await talk.topic('topic', 3)
      const groupId = talk.named('group')
      const a = await consumesAlone(talk, 'a', groupId, topic.name, [0, 1, 2])
      const bId = await memberId(talk, 'b', groupId, consumes(topic.name))
      const bJoins = join(talk, 'b', groupId, { ...consumes(topic.name), memberId: bId })
      await talk.reached(groupId, 'PreparingRebalance', 2)
      // The new kind comes in the middle of a rebalance.
      await enter(talk, groupId, 'n', [topic.name], { serverAssignor: 'range' })
      await bJoins
      await look(talk, groupId)
      await beat(talk, 'a', groupId, a)
      const aAgain = await join(talk, 'a', groupId, { ...consumes(topic.name, [0, 1, 2], 1), memberId: a.memberId })
      await sync(talk, 'a', groupId, aAgain)
      await look(talk, groupId)
    },
  },
  {
    id: 'm-empty',
    name: 'an empty group takes members of either kind',
    async body(talk) {
      const topic = await talk.topic('topic')
      const groupId = talk.named('group')
      const a = await consumesAlone(talk, 'a', groupId, topic.name, [0])
      await commit(talk, 'a', groupId, topic.name, 3n, a)
      await talk.send('a', leaveGroup, 5, { groupId, members: [a] })
      await look(talk, groupId)
      await enter(talk, groupId, 'b', [topic.name])
      await look(talk, groupId)
      await pulse(talk, groupId, 'b', -1)
      await look(talk, groupId)
      const c = await consumesAlone(talk, 'c', groupId, topic.name, [0])
      await talk.send('c', heartbeat, 4, { groupId, ...c })
      await look(talk, groupId)
      const simple = talk.named('simple')
      await commit(talk, 'a', simple, topic.name, 3n)
      await enter(talk, simple, 'd', [topic.name])
      await look(talk, simple)
    },
  },
  {
    id: 'm-refused',
    name: 'a classic group of another type, or with bytes that no consumer wrote, stays what it is',
    async body(talk) {
      const connect = talk.named('connect')
      const protocols = [{ name: 'default', metadata: opaque(0, 1) }]
      const id = await memberId(talk, 'a', connect, { protocolType: 'connect', protocols })
      const joined = await join(talk, 'a', connect, { protocolType: 'connect', protocols, memberId: id })
      await sync(talk, 'a', connect, joined, { protocolType: 'connect', protocolName: 'default' })
      await enter(talk, connect, 'b', [])
      await pulse(talk, connect, 'b', 1)
      await pulse(talk, connect, 'b', -1)
      await look(talk, connect)
      const odd = talk.named('odd')
      const oddId = await memberId(talk, 'a', odd)
      const oddMember = await join(talk, 'a', odd, { memberId: oddId })
      await sync(talk, 'a', odd, oddMember, { assignments: [{ memberId: oddId, assignment: opaque(1) }] })
      await enter(talk, odd, 'b', [])
      await look(talk, odd)
      const classic = talk.named('classic')
      await consumesAlone(talk, 'a', classic, talk.named('nowhere'), [])
      await pulse(talk, classic, 'a', 1)
      await pulse(talk, classic, 'a', -1)
      await pulse(talk, classic, 'a', -2, { instanceId: 'i' })
      await look(talk, classic)
    },
  },
]
