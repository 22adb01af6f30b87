/** Conversations of those who look at groups: finding coordinators, listing, describing and deleting. */
import { findCoordinator } from '../../../../src/protocol/apis/10-find-coordinator.ts'
import { leaveGroup } from '../../../../src/protocol/apis/13-leave-group.ts'
import { describeGroups } from '../../../../src/protocol/apis/15-describe-groups.ts'
import { listGroups } from '../../../../src/protocol/apis/16-list-groups.ts'
import { deleteGroups } from '../../../../src/protocol/apis/42-delete-groups.ts'
import { consumerGroupDescribe } from '../../../../src/protocol/apis/69-consumer-group-describe.ts'
import { everyVersion } from '../../../support/broker.ts'
import type { Conversation, Talk } from '../../../support/conversation.ts'
import { alone, commit, each, enter, join, memberId, pulse, subscription, sync } from './asking.ts'

/** Groups in several states, of both types: their ids. */
async function someGroups(talk: Talk) {
  const topic = await talk.topic('topic', 2)
  const its = { protocols: [{ name: 'range', metadata: subscription([topic.name]) }] }
  const stable = talk.named('stable')
  const empty = talk.named('empty')
  const completing = talk.named('completing')
  const simple = talk.named('simple')
  const pending = talk.named('pending')
  const consumer = talk.named('consumer')
  const reconciling = talk.named('reconciling')
  const left = talk.named('left')
  const member = await alone(talk, 'a', stable, its)
  const gone = await alone(talk, 'a', empty, its)
  await talk.send('a', leaveGroup, 5, { groupId: empty, members: [gone] })
  const waits = await memberId(talk, 'a', completing, its)
  await join(talk, 'a', completing, { ...its, memberId: waits })
  await commit(talk, 'a', simple, topic.name, 1n)
  await memberId(talk, 'a', pending, its)
  await enter(talk, consumer, 'm', [topic.name], { instanceId: 'i', rackId: 'r' })
  await enter(talk, reconciling, 'm', [topic.name])
  await enter(talk, reconciling, 'n', [topic.name])
  await enter(talk, left, 'm', [topic.name])
  await pulse(talk, left, 'm', -1)
  return { topic, stable, empty, completing, simple, pending, consumer, reconciling, left, member }
}

export const admin: readonly Conversation[] = [
  {
    id: 'find',
    name: 'a coordinator is found in every version, for groups alone',
    async body(talk) {
      for (const version of everyVersion(findCoordinator)) {
        const ask = (keyType: number, ...keys: string[]) =>
          talk.send(
            'a',
            findCoordinator,
            version,
            version >= 4 ? { keyType, coordinatorKeys: keys } : { key: keys[0]!, ...(version >= 1 ? { keyType } : {}) },
          )
        await ask(0, talk.named('group'))
        await ask(0, '')
        if (version >= 1) for (const keyType of [3, -1, 127]) await ask(keyType, 'key')
        if (version >= 4) {
          await ask(0, 'one', 'two', 'one')
          await ask(0)
          await ask(5, 'one', 'two')
        }
        if (version >= 1 && version < 6) await ask(2, 'group:AAAAAAAAAAAAAAAAAAAACA:0')
      }
    },
  },
  {
    id: 'list',
    name: 'groups are listed by state and type in every version',
    async body(talk) {
      await someGroups(talk)
      for (const version of everyVersion(listGroups)) await talk.send('admin', listGroups, version, {})
      const list = (statesFilter: string[], typesFilter: string[] = [], version = 5) =>
        talk.send('admin', listGroups, version, { statesFilter, ...(version >= 5 ? { typesFilter } : {}) })
      for (const state of [
        'Stable',
        'stable',
        'STABLE',
        'Empty',
        'PreparingRebalance',
        'preparing_rebalance',
        'CompletingRebalance',
        'completingrebalance',
        'Assigning',
        'Reconciling',
        'Dead',
        'NotReady',
        'nonsense',
        '',
      ])
        await list([state], [], state === '' ? 4 : 5)
      for (const type of ['classic', 'Classic', 'consumer', 'CONSUMER', 'share', 'streams', 'unknown', 'nonsense', ''])
        await list([], [type])
      await list(['Stable', 'Empty'], ['consumer'])
      await list(['Stable', 'nonsense'], ['nonsense', 'classic'])
      await list(['Stable'], [], 4)
    },
  },
  {
    id: 'describe',
    name: 'groups are described as their type and the version have it',
    async body(talk) {
      const { topic: _, member: __, ...groups } = await someGroups(talk)
      const all = [...Object.values(groups), talk.named('nobody'), '']
      for (const version of everyVersion(describeGroups)) {
        for (const id of all) await talk.send('admin', describeGroups, version, { groups: [id] })
      }
      await talk.send('admin', describeGroups, 6, { groups: all, includeAuthorizedOperations: true })
      await talk.send('admin', describeGroups, 3, {
        groups: [groups.stable, groups.stable],
        includeAuthorizedOperations: true,
      })
      await talk.send('admin', describeGroups, 6, { groups: [] })
      for (const version of everyVersion(consumerGroupDescribe)) {
        for (const id of all) await talk.send('admin', consumerGroupDescribe, version, { groupIds: [id] })
      }
      await talk.send('admin', consumerGroupDescribe, 1, {
        groupIds: [groups.consumer, groups.stable],
        includeAuthorizedOperations: true,
      })
      await talk.send('admin', consumerGroupDescribe, 1, { groupIds: [] })
    },
  },
  {
    id: 'delete',
    name: 'a group is deleted when it has no members',
    async body(talk) {
      const { topic: _, member, ...groups } = await someGroups(talk)
      for (const version of everyVersion(deleteGroups)) {
        await talk.send('admin', deleteGroups, version, {
          groupsNames: [groups.stable, groups.completing, groups.consumer, groups.reconciling, talk.named('nobody')],
        })
      }
      await talk.send('admin', deleteGroups, 2, { groupsNames: [] })
      await talk.send('admin', deleteGroups, 2, { groupsNames: [groups.empty, groups.simple, groups.left] })
      await talk.send('admin', deleteGroups, 2, { groupsNames: [groups.empty, groups.simple, groups.left] })
      await talk.send('admin', deleteGroups, 2, { groupsNames: [groups.pending] })
      await talk.send('a', leaveGroup, 5, { groupId: groups.stable, members: [member] })
      await talk.send('admin', deleteGroups, 0, { groupsNames: [groups.stable] })
      await talk.send('admin', listGroups, 5, {})
      const again = await memberId(talk, 'a', groups.stable)
      const joined = await join(talk, 'a', groups.stable, { memberId: again })
      await sync(talk, 'a', groups.stable, joined, each(joined))
    },
  },
]
