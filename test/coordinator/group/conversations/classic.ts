/** Conversations with classic groups: joins, syncs, heartbeats and leaves of dynamic members. */

import { joinGroup } from '../../../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../../../src/protocol/apis/12-heartbeat.ts'
import { leaveGroup } from '../../../../src/protocol/apis/13-leave-group.ts'
import { syncGroup } from '../../../../src/protocol/apis/14-sync-group.ts'
import { describeGroups } from '../../../../src/protocol/apis/15-describe-groups.ts'
import { everyVersion } from '../../../support/broker.ts'
import type { Conversation } from '../../../support/conversation.ts'
import { alone, beat, commit, each, join, memberId, opaque, pair, sync } from './asking.ts'

const LONG = 'g'.repeat(32_000)
const ODD = '\u0000\u0007\n\u{1f600}'

export const classic: readonly Conversation[] = [
  {
    id: 'life',
    name: 'a member lives the same life in every version',
    async body(talk) {
      for (const version of everyVersion(joinGroup)) {
        const groupId = talk.named(`v${version}`)
        let joined = await join(talk, 'a', groupId, {}, version)
        if (version >= 4) joined = await join(talk, 'a', groupId, { memberId: joined.memberId }, version)
        const older = (newest: number) => Math.min(version, newest)
        await sync(talk, 'a', groupId, joined, each(joined), older(syncGroup.maxVersion))
        await sync(talk, 'a', groupId, joined, {}, older(syncGroup.maxVersion))
        const { memberId, generationId } = joined
        await talk.send('a', heartbeat, older(heartbeat.maxVersion), { groupId, memberId, generationId })
        const leaving = older(leaveGroup.maxVersion)
        const who = leaving >= 3 ? { memberId: '', members: [{ memberId }] } : { memberId, members: [] }
        await talk.send('a', leaveGroup, leaving, { groupId, ...who })
        await talk.send('a', leaveGroup, leaving, { groupId, ...who })
        await talk.send('a', heartbeat, older(heartbeat.maxVersion), { groupId, memberId, generationId })
        await talk.send('admin', describeGroups, older(describeGroups.maxVersion), { groups: [groupId] })
      }
    },
  },
  {
    id: 'first-join',
    name: 'a join is refused when it has no group, no type, no protocols or an odd timeout',
    async body(talk) {
      let groups = 0
      // Each asks for a group of its own: Apache Kafka keeps an empty one of some joins that it refuses.
      const ask = (version: number, more: object) => join(talk, 'a', talk.named(`${groups++}`), more, version)
      for (const version of [0, 3, 4, 9]) {
        for (const sessionTimeoutMs of [5_999, 1_800_001, -1, 0]) {
          await ask(version, { sessionTimeoutMs, rebalanceTimeoutMs: 60_000 })
        }
        await ask(version, { groupId: '' })
        await ask(version, { protocols: [] })
        await ask(version, { protocolType: '' })
        await ask(version, { memberId: 'made-up' })
        await ask(version, { groupId: '', memberId: 'mine', sessionTimeoutMs: 1, protocols: [] })
        await ask(version, { memberId: 'mine', sessionTimeoutMs: 1, protocols: [] })
        await ask(version, { memberId: 'made-up', protocols: [], protocolType: '' })
      }
    },
  },
  {
    id: 'timeout-bounds',
    name: 'session timeouts at the bounds are taken',
    async body(talk) {
      for (const sessionTimeoutMs of [6_000, 1_800_000]) {
        await join(talk, 'a', talk.named(`${sessionTimeoutMs}`), { sessionTimeoutMs }, 3)
      }
      await join(talk, 'b', talk.named('rebalance'), { rebalanceTimeoutMs: -1 }, 3)
      await join(talk, 'c', talk.named('rebalance-0'), { rebalanceTimeoutMs: 0 }, 3)
    },
  },
  {
    id: 'odd-ids',
    name: 'group ids that are long or unprintable are ids as others',
    async body(talk) {
      for (const groupId of [talk.named(LONG), talk.named(ODD), ' ', '.', '..', '/']) {
        const member = await alone(talk, 'a', groupId)
        await beat(talk, 'a', groupId, member)
        await talk.send('admin', describeGroups, 6, { groups: [groupId] })
        await talk.send('a', leaveGroup, 5, { groupId, members: [member] })
      }
      await talk.send('a', heartbeat, 4, { groupId: '', memberId: 'm', generationId: 1 })
      await talk.send('a', leaveGroup, 5, { groupId: '', members: [{ memberId: 'm' }] })
      await talk.send('a', leaveGroup, 2, { groupId: '', memberId: 'm' })
      await talk.send('a', syncGroup, 5, {
        groupId: '',
        memberId: 'm',
        generationId: 1,
        protocolType: 'consumer',
        protocolName: 'range',
      })
      await talk.send('a', syncGroup, 4, { groupId: '', memberId: 'm', generationId: 1 })
    },
  },
  {
    id: 'no-group',
    name: 'a group that is not there knows no members',
    async body(talk) {
      const groupId = talk.named('nobody')
      for (const generationId of [-1, 0, 1]) {
        const member = { memberId: 'm', generationId }
        await beat(talk, 'a', groupId, member)
        await beat(talk, 'a', groupId, { ...member, memberId: '' })
        await sync(talk, 'a', groupId, member)
        await sync(talk, 'a', groupId, member, {}, 3)
      }
      await talk.send('a', leaveGroup, 5, {
        groupId,
        members: [{ memberId: 'm' }, { memberId: '', groupInstanceId: 'i' }],
      })
      await talk.send('a', leaveGroup, 3, { groupId, members: [] })
      await talk.send('a', leaveGroup, 2, { groupId, memberId: 'm' })
    },
  },
  {
    id: 'consistency',
    name: 'who joins must share the type of the group and one protocol with all',
    async body(talk) {
      const groupId = talk.named('group')
      const protocols = ['range', 'sticky'].map(name => ({ name, metadata: opaque(7) }))
      const member = await alone(talk, 'a', groupId, { protocols })
      for (const version of [3, 9]) {
        await join(talk, 'b', groupId, { protocolType: 'connect' }, version)
        await join(talk, 'b', groupId, { protocolType: '' }, version)
        await join(talk, 'b', groupId, { protocols: [] }, version)
        await join(talk, 'b', groupId, { protocols: [{ name: 'other', metadata: opaque() }] }, version)
        await join(talk, 'a', groupId, { memberId: member.memberId, protocolType: 'connect' }, version)
      }
      const id = await memberId(talk, 'b', groupId)
      await join(talk, 'b', groupId, { memberId: id, protocols: [{ name: 'other', metadata: opaque() }] })
      await beat(talk, 'a', groupId, member)
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'protocol-choice',
    name: 'the protocol is the one that most members of those that all offer prefer',
    async body(talk) {
      const groupId = talk.named('group')
      const offer = (...names: string[]) => ({
        protocols: names.map(name => ({ name, metadata: new TextEncoder().encode(name) })),
      })
      const offers = { a: offer('x', 'y', 'z'), b: offer('z', 'y', 'x'), c: offer('w', 'y', 'x') }
      const first = await alone(talk, 'a', groupId, offers.a)
      const b = await memberId(talk, 'b', groupId, offers.b)
      const bJoins = join(talk, 'b', groupId, { ...offers.b, memberId: b })
      await talk.reached(groupId, 'PreparingRebalance', 2)
      const c = await memberId(talk, 'c', groupId, offers.c)
      const cJoins = join(talk, 'c', groupId, { ...offers.c, memberId: c })
      await talk.reached(groupId, 'PreparingRebalance', 3)
      const joined = await join(talk, 'a', groupId, { ...offers.a, memberId: first.memberId })
      await Promise.all([bJoins, cJoins])
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await sync(talk, 'a', groupId, joined, { protocolName: joined.protocolName })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'member-id-required',
    name: 'a new member comes back with the id that it was given',
    async body(talk) {
      const groupId = talk.named('group')
      const id = await memberId(talk, 'a', groupId)
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await beat(talk, 'a', groupId, { memberId: id, generationId: -1 })
      await sync(talk, 'a', groupId, { memberId: id, generationId: 0 })
      await talk.send('a', leaveGroup, 5, { groupId, members: [{ memberId: id }] })
      await join(talk, 'a', groupId, { memberId: id })
      const again = await memberId(talk, 'a', groupId)
      const joined = await join(talk, 'a', groupId, { memberId: again })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await join(talk, 'a', groupId, { memberId: `${again}x` })
      await beat(talk, 'a', groupId, joined)
    },
  },
  {
    id: 'fencing',
    name: 'other generations and unknown members are refused in a stable group',
    async body(talk) {
      const groupId = talk.named('group')
      const member = await alone(talk, 'a', groupId)
      const { memberId, generationId } = member
      for (const [who, generation] of [
        [memberId, generationId + 1],
        [memberId, generationId - 1],
        [memberId, -1],
        ['stranger', generationId],
        ['', generationId],
      ] as const) {
        await beat(talk, 'a', groupId, { memberId: who, generationId: generation })
        await sync(talk, 'a', groupId, { memberId: who, generationId: generation })
        await sync(talk, 'a', groupId, { memberId: who, generationId: generation }, {}, 3)
      }
      await sync(talk, 'a', groupId, member, { protocolType: null })
      await sync(talk, 'a', groupId, member, { protocolName: null })
      await sync(talk, 'a', groupId, member, { protocolType: 'connect' })
      await sync(talk, 'a', groupId, member, { protocolName: 'other' })
      await sync(talk, 'a', groupId, { ...member, generationId: 9 }, { protocolName: 'other' })
      await sync(talk, 'a', groupId, member)
      await talk.send('a', heartbeat, 4, { groupId, ...member, groupInstanceId: 'unknown-instance' })
      await sync(talk, 'a', groupId, member, { groupInstanceId: 'unknown-instance' })
      await join(talk, 'a', groupId, { memberId, groupInstanceId: 'unknown-instance' })
      await talk.send('a', leaveGroup, 5, {
        groupId,
        members: [{ memberId, groupInstanceId: 'unknown-instance' }, { memberId: 'stranger' }, { memberId: '' }],
      })
      await beat(talk, 'a', groupId, member)
    },
  },
  {
    id: 'two-members',
    name: 'a second member brings a rebalance, and its leaving another',
    async body(talk) {
      const groupId = talk.named('group')
      const first = await alone(talk, 'a', groupId)
      const id = await memberId(talk, 'b', groupId)
      await beat(talk, 'a', groupId, first)
      const bJoins = join(talk, 'b', groupId, { memberId: id })
      await talk.reached(groupId, 'PreparingRebalance', 2)
      await beat(talk, 'a', groupId, first)
      await beat(talk, 'c', groupId, { ...first, generationId: 9 })
      await sync(talk, 'c', groupId, first)
      await commit(talk, 'c', groupId, talk.named('nowhere'), 1n, first)
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      const a = await join(talk, 'a', groupId, {
        memberId: first.memberId,
        protocols: [{ name: 'range', metadata: opaque(3) }],
      })
      const b = await bJoins
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await beat(talk, 'a', groupId, a)
      await beat(talk, 'b', groupId, b)
      const bSyncs = sync(talk, 'b', groupId, b)
      await sync(talk, 'a', groupId, a, each(b, a))
      await bSyncs
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await sync(talk, 'b', groupId, b)
      await sync(talk, 'b', groupId, b, each(a, b))
      await beat(talk, 'b', groupId, b)
      await talk.send('b', leaveGroup, 5, { groupId, members: [{ memberId: b.memberId, reason: 'done' }] })
      await beat(talk, 'a', groupId, a)
      await sync(talk, 'a', groupId, a)
      const last = await join(talk, 'a', groupId, { memberId: a.memberId, reason: 'asked to' })
      await sync(talk, 'a', groupId, last, each(last))
      await talk.send('a', leaveGroup, 5, { groupId, members: [{ memberId: a.memberId }] })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'rejoins',
    name: 'who rejoins with nothing new gets its generation again, unless it leads',
    async body(talk) {
      const groupId = talk.named('group')
      const [a, b] = await pair(talk, groupId)
      await join(talk, 'b', groupId, { memberId: b.memberId })
      await beat(talk, 'a', groupId, a)
      const leads = join(talk, 'a', groupId, { memberId: a.memberId })
      await talk.reached(groupId, 'PreparingRebalance')
      await beat(talk, 'b', groupId, b)
      const bAgain = await join(talk, 'b', groupId, { memberId: b.memberId })
      const aAgain = await leads
      await join(talk, 'b', groupId, { memberId: b.memberId })
      await join(talk, 'a', groupId, { memberId: a.memberId })
      const waits = sync(talk, 'b', groupId, bAgain)
      const changed = join(talk, 'c', groupId, {
        memberId: a.memberId,
        protocols: [{ name: 'range', metadata: opaque(9) }],
      })
      await waits
      await talk.reached(groupId, 'PreparingRebalance')
      await join(talk, 'b', groupId, { memberId: b.memberId })
      await changed
      await beat(talk, 'b', groupId, aAgain)
    },
  },
  {
    id: 'late',
    name: 'a member that does not come back in time is out',
    async body(talk) {
      const groupId = talk.named('group')
      const first = await alone(talk, 'a', groupId, { rebalanceTimeoutMs: 300 })
      const id = await memberId(talk, 'b', groupId, { rebalanceTimeoutMs: 300 })
      const b = await join(talk, 'b', groupId, { memberId: id, rebalanceTimeoutMs: 300 })
      await beat(talk, 'a', groupId, first)
      await join(talk, 'a', groupId, { memberId: first.memberId })
      await talk.reached(groupId, 'Empty')
      await beat(talk, 'b', groupId, b)
      await sync(talk, 'b', groupId, b)
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'never-syncs',
    name: 'a leader that never syncs is out when its rebalance timeout has passed',
    async body(talk) {
      const groupId = talk.named('group')
      const id = await memberId(talk, 'a', groupId, { rebalanceTimeoutMs: 300 })
      const joined = await join(talk, 'a', groupId, { memberId: id, rebalanceTimeoutMs: 300 })
      await talk.reached(groupId, 'Empty', 0)
      await sync(talk, 'a', groupId, joined)
      await beat(talk, 'a', groupId, joined)
    },
  },
  {
    id: 'full',
    name: 'a full group takes nobody more',
    async body(talk) {
      const groupId = talk.named('group')
      const soon = { rebalanceTimeoutMs: 2_000 }
      const [a, b] = await pair(talk, groupId, soon)
      const c = await memberId(talk, 'c', groupId, soon)
      const d = await memberId(talk, 'd', groupId, soon)
      const cJoins = join(talk, 'c', groupId, { ...soon, memberId: c })
      await talk.reached(groupId, 'PreparingRebalance', 3)
      const aJoins = join(talk, 'a', groupId, { ...soon, memberId: a.memberId })
      await talk.moment()
      const dJoins = join(talk, 'd', groupId, { ...soon, memberId: d })
      await talk.reached(groupId, 'PreparingRebalance', 4)
      await join(talk, 'e', groupId, {}, 3)
      await join(talk, 'e', groupId)
      await join(talk, 'b', groupId, { ...soon, memberId: b.memberId })
      await Promise.all([aJoins, cJoins, dJoins])
      await beat(talk, 'b', groupId, b)
      await join(talk, 'e', groupId)
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'leave-some',
    name: 'a leave answers for each of its members, and moves the rebalance on',
    async body(talk) {
      const groupId = talk.named('group')
      const [a, b] = await pair(talk, groupId)
      const c = await memberId(talk, 'c', groupId)
      const cJoins = join(talk, 'c', groupId, { memberId: c })
      await talk.reached(groupId, 'PreparingRebalance', 3)
      await talk.send('admin', leaveGroup, 5, {
        groupId,
        members: [
          { memberId: 'stranger' },
          { memberId: b.memberId },
          { memberId: b.memberId },
          { memberId: a.memberId },
        ],
      })
      const joined = await cJoins
      await beat(talk, 'c', groupId, joined)
      await talk.send('admin', leaveGroup, 5, { groupId, members: [] })
      await sync(talk, 'c', groupId, joined, each(joined))
      await talk.send('admin', leaveGroup, 4, { groupId, members: [{ memberId: c }] })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'partial-assignment',
    name: 'a leader may forget members, and name some that are none',
    async body(talk) {
      const groupId = talk.named('group')
      const first = await alone(talk, 'a', groupId)
      const id = await memberId(talk, 'b', groupId)
      const bJoins = join(talk, 'b', groupId, { memberId: id })
      await talk.reached(groupId, 'PreparingRebalance', 2)
      const a = await join(talk, 'a', groupId, { memberId: first.memberId })
      const b = await bJoins
      const bSyncs = sync(talk, 'b', groupId, b, each(a, b))
      await sync(talk, 'a', groupId, a, each({ memberId: 'stranger', generationId: 0 }, a))
      await bSyncs
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
    },
  },
  {
    id: 'other-types',
    name: 'groups of another protocol type are kept and described as they are',
    async body(talk) {
      const groupId = talk.named('group')
      const protocols = [
        { name: 'default', metadata: opaque(1) },
        { name: 'compatible', metadata: opaque() },
      ]
      const connect = { protocolType: 'connect', protocols }
      const id = await memberId(talk, 'a', groupId, connect)
      const joined = await join(talk, 'a', groupId, { ...connect, memberId: id })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await sync(talk, 'a', groupId, joined, { protocolType: 'connect', protocolName: 'default', ...each(joined) })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await talk.send('a', leaveGroup, 5, { groupId, members: [joined] })
      await talk.send('admin', describeGroups, 6, { groups: [groupId] })
      await join(talk, 'b', groupId, {}, 3)
    },
  },
]
