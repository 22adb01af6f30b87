/** Conversations with static members of classic groups. */
import { joinGroup } from '../../../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../../../src/protocol/apis/12-heartbeat.ts'
import { leaveGroup } from '../../../../src/protocol/apis/13-leave-group.ts'
import { describeGroups } from '../../../../src/protocol/apis/15-describe-groups.ts'
import type { Conversation } from '../../../support/conversation.ts'
import { alone, beat, commit, each, join, memberId, opaque, sync } from './asking.ts'

export const statics: readonly Conversation[] = [
  {
    id: 'static-life',
    name: 'a static member joins in one round, and again in each version',
    async body(talk) {
      for (const version of [5, 6, 7, 8, 9]) {
        const groupId = talk.named(`v${version}`)
        const its = { groupInstanceId: 'i' }
        const joined = await join(talk, 'a', groupId, its, version)
        await sync(talk, 'a', groupId, joined, { ...its, ...each(joined) }, Math.min(version, 5))
        await beat(talk, 'a', groupId, joined, 'i')
        await talk.send('admin', describeGroups, Math.min(version, 6), { groups: [groupId] })
        const again = await join(talk, 'b', groupId, its, version)
        await sync(talk, 'b', groupId, again, its, Math.min(version, 5))
        await talk.send('b', leaveGroup, Math.min(version, 5), {
          groupId,
          members: [{ memberId: '', groupInstanceId: 'i' }],
        })
        await talk.send('admin', describeGroups, Math.min(version, 6), { groups: [groupId] })
      }
      await talk.send('a', joinGroup, 9, {
        groupId: talk.named('none'),
        memberId: 'stranger',
        groupInstanceId: 'i',
        sessionTimeoutMs: 10_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: opaque() }],
      })
    },
  },
  {
    id: 'static-fenced',
    name: 'the old holder of an instance id is fenced wherever it asks',
    async body(talk) {
      const topic = await talk.topic('topic')
      const groupId = talk.named('group')
      const its = { groupInstanceId: 'i' }
      const old = await alone(talk, 'a', groupId, its)
      const now = await join(talk, 'b', groupId, its)
      await beat(talk, 'a', groupId, old, 'i')
      await beat(talk, 'a', groupId, old)
      await sync(talk, 'a', groupId, old, its)
      await join(talk, 'a', groupId, { ...its, memberId: old.memberId })
      await join(talk, 'a', groupId, { memberId: old.memberId })
      await commit(talk, 'a', groupId, topic.name, 1n, { ...old, ...its })
      await commit(talk, 'a', groupId, topic.name, 1n, old)
      await talk.send('a', leaveGroup, 5, { groupId, members: [{ memberId: old.memberId, groupInstanceId: 'i' }] })
      await beat(talk, 'b', groupId, { ...now, generationId: old.generationId }, 'i')
      await beat(talk, 'b', groupId, { ...now, generationId: old.generationId })
      await beat(talk, 'b', groupId, { ...now, generationId: old.generationId + 5 }, 'i')
      await beat(talk, 'b', groupId, { ...now, generationId: old.generationId }, 'j')
      await commit(talk, 'b', groupId, topic.name, 1n, {
        memberId: now.memberId,
        generationId: old.generationId,
        ...its,
      })
      await commit(talk, 'b', groupId, topic.name, 1n, {
        memberId: now.memberId,
        generationId: old.generationId,
        groupInstanceId: 'j',
      })
      await talk.send('b', leaveGroup, 5, {
        groupId,
        members: [
          { memberId: '', groupInstanceId: 'j' },
          { memberId: now.memberId, groupInstanceId: 'i' },
        ],
      })
    },
  },
  {
    id: 'static-replaced',
    name: 'a static member that comes back keeps its assignment and the group its generation',
    async body(talk) {
      const groupId = talk.named('group')
      const leader = await alone(talk, 'a', groupId, { groupInstanceId: 'i' })
      const bJoins = join(talk, 'b', groupId, { groupInstanceId: 'j' })
      await talk.reached(groupId, 'PreparingRebalance', 2)
      const a = await join(talk, 'a', groupId, { groupInstanceId: 'i', memberId: leader.memberId })
      const b = await bJoins
      const bSyncs = sync(talk, 'b', groupId, b, { groupInstanceId: 'j' })
      await sync(talk, 'a', groupId, a, { groupInstanceId: 'i', ...each(a, b) })
      await bSyncs
      // The follower with the same protocols, in versions that know of skipped assignments and not.
      const follower = await join(talk, 'b2', groupId, { groupInstanceId: 'j' })
      await sync(talk, 'b2', groupId, follower, { groupInstanceId: 'j' })
      const older = await join(talk, 'b3', groupId, { groupInstanceId: 'j' }, 8)
      await sync(talk, 'b3', groupId, older, { groupInstanceId: 'j' })
      // The leader likewise.
      const leads = await join(talk, 'a2', groupId, { groupInstanceId: 'i' })
      await sync(talk, 'a2', groupId, leads, { groupInstanceId: 'i' })
      const leadsOld = await join(talk, 'a3', groupId, { groupInstanceId: 'i' }, 8)
      await sync(talk, 'a3', groupId, leadsOld, { groupInstanceId: 'i' })
      await beat(talk, 'b3', groupId, older, 'j')
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      // Other metadata alone is no reason for a rebalance.
      const metadata = opaque(9, 9)
      await join(talk, 'b4', groupId, { groupInstanceId: 'j', protocols: [{ name: 'range', metadata }] })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await beat(talk, 'a3', groupId, leadsOld, 'i')
    },
  },
  {
    id: 'static-protocols',
    name: 'a static member that comes back with protocols that change the choice brings a rebalance',
    async body(talk) {
      const groupId = talk.named('group')
      const offer = (...names: string[]) => ({ protocols: names.map(name => ({ name, metadata: opaque(5) })) })
      const a = await alone(talk, 'a', groupId, { groupInstanceId: 'i', ...offer('x', 'range') })
      const b = await join(talk, 'b', groupId, { groupInstanceId: 'i', ...offer('range') })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await beat(talk, 'a', groupId, a, 'i')
      await sync(talk, 'b', groupId, b, { groupInstanceId: 'i', ...each(b) })
      await join(talk, 'b', groupId, { memberId: b.memberId, groupInstanceId: 'i', ...offer('x') })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'static-in-rebalance',
    name: 'a static member that is replaced while its join or sync waits is told',
    async body(talk) {
      const groupId = talk.named('group')
      const first = await alone(talk, 'a', groupId)
      const waits = join(talk, 'b', groupId, { groupInstanceId: 'j' })
      await talk.reached(groupId, 'PreparingRebalance', 2)
      const replaces = join(talk, 'b2', groupId, { groupInstanceId: 'j' })
      await waits
      const a = await join(talk, 'a', groupId, { memberId: first.memberId })
      const b2 = await replaces
      const syncs = sync(talk, 'b2', groupId, b2, { groupInstanceId: 'j' })
      const b3Joins = join(talk, 'b3', groupId, { groupInstanceId: 'j' })
      await syncs
      await talk.reached(groupId, 'PreparingRebalance', 2)
      await join(talk, 'a', groupId, { memberId: a.memberId })
      await b3Joins
    },
  },
  {
    id: 'static-leaves',
    name: 'static members leave by their instance id, with or without a member id',
    async body(talk) {
      const groupId = talk.named('group')
      const first = await alone(talk, 'a', groupId, { groupInstanceId: 'i' })
      await talk.send('admin', leaveGroup, 5, {
        groupId,
        members: [
          { memberId: 'wrong', groupInstanceId: 'i' },
          { memberId: first.memberId, groupInstanceId: 'unknown' },
          { memberId: '', groupInstanceId: 'unknown' },
        ],
      })
      await beat(talk, 'a', groupId, first, 'i')
      await talk.send('admin', leaveGroup, 5, {
        groupId,
        members: [
          { memberId: '', groupInstanceId: 'i', reason: 'removed' },
          { memberId: '', groupInstanceId: 'i' },
        ],
      })
      await beat(talk, 'a', groupId, first, 'i')
      const again = await alone(talk, 'a', groupId, { groupInstanceId: 'i' })
      await talk.send('a', leaveGroup, 3, { groupId, members: [{ memberId: again.memberId, groupInstanceId: 'i' }] })
      const byId = await alone(talk, 'a', groupId, { groupInstanceId: 'i' })
      await talk.send('a', leaveGroup, 2, { groupId, memberId: byId.memberId })
      await talk.send('a', heartbeat, 2, { groupId, memberId: byId.memberId, generationId: byId.generationId })
    },
  },
  {
    id: 'static-and-dynamic',
    name: 'a dynamic member may not take an instance id that another holds',
    async body(talk) {
      const groupId = talk.named('group')
      const held = await alone(talk, 'a', groupId, { groupInstanceId: 'i' })
      const id = await memberId(talk, 'b', groupId)
      await join(talk, 'b', groupId, { memberId: id, groupInstanceId: 'i' })
      await join(talk, 'b', groupId, { memberId: 'made-up', groupInstanceId: 'i' })
      await join(talk, 'b', groupId, { memberId: 'made-up', groupInstanceId: 'new' })
      await join(talk, 'b', groupId, { memberId: held.memberId, groupInstanceId: 'new' })
      await beat(talk, 'b', groupId, { memberId: id, generationId: held.generationId })
      await beat(talk, 'a', groupId, held, 'i')
    },
  },
]
