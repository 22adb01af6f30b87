/** ListGroups, DescribeGroups, ConsumerGroupDescribe and DeleteGroups. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetCommit } from '../../../src/protocol/apis/08-offset-commit.ts'
import { leaveGroup } from '../../../src/protocol/apis/13-leave-group.ts'
import { describeGroups } from '../../../src/protocol/apis/15-describe-groups.ts'
import { listGroups } from '../../../src/protocol/apis/16-list-groups.ts'
import { deleteGroups } from '../../../src/protocol/apis/42-delete-groups.ts'
import { consumerGroupDescribe } from '../../../src/protocol/apis/69-consumer-group-describe.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { everyVersion, startTestBroker, type TestBroker } from '../../support/broker.ts'
import { findGroup, joinAlone, joinConsumerGroup, newGroup } from '../../support/groups.ts'
import type { WireClient } from '../../support/wire-client.ts'

const test = suite('administration of groups')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

const NOT_ASKED = -2147483648
/** READ, DESCRIBE, DELETE, DESCRIBE_CONFIGS and ALTER_CONFIGS. */
const OPERATIONS = (1 << 3) | (1 << 8) | (1 << 6) | (1 << 10) | (1 << 11)

async function commitAlone(client: WireClient, groupId: string, topic: string): Promise<void> {
  await client.send(offsetCommit, 8, {
    groupId,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: '' }] }],
  })
}

/** A stable classic group, one of offsets alone, and a consumer group. */
async function threeGroups(client: WireClient) {
  const topic = await fixture.topic()
  const classic = await newGroup(client)
  const simple = await newGroup(client)
  const consumer = await newGroup(client)
  const member = await joinAlone(client, classic, [topic.name])
  await commitAlone(client, simple, topic.name)
  await joinConsumerGroup(client, consumer, [topic.name])
  return { topic, classic, simple, consumer, member }
}

test('every version lists groups with what it has places for', async () => {
  const client = await fixture.connect()
  const { classic, simple, consumer } = await threeGroups(client)
  const expected = new Map([
    [classic, ['consumer', 'Stable', 'classic']],
    [simple, ['', 'Empty', 'classic']],
    [consumer, ['consumer', 'Stable', 'consumer']],
  ])
  for (const version of everyVersion(listGroups)) {
    const { errorCode, groups } = await client.send(listGroups, version, { statesFilter: [], typesFilter: [] })
    assert.is(errorCode, 0)
    for (const [groupId, [protocolType, state, type]] of expected) {
      const found = groups.filter(group => group.groupId === groupId)
      assert.equal(
        found.map(group => [group.protocolType, group.groupState, group.groupType]),
        [[protocolType, version >= 4 ? state : '', version >= 5 ? type : '']],
      )
    }
  }
})

test('groups are listed by state and by type, without regard to case', async () => {
  const client = await fixture.connect()
  const { classic, simple, consumer } = await threeGroups(client)
  const list = async (statesFilter: string[], typesFilter: string[]) => {
    const { groups } = await client.send(listGroups, 5, { statesFilter, typesFilter })
    return [classic, simple, consumer].map(groupId => groups.some(group => group.groupId === groupId))
  }
  assert.equal(await list(['stable'], []), [true, false, true])
  assert.equal(await list(['EMPTY', 'Dead'], []), [false, true, false])
  assert.equal(await list([], ['Classic']), [true, true, false])
  assert.equal(await list(['Stable'], ['CONSUMER']), [false, false, true])
  assert.equal(await list(['nonsense'], []), [false, false, false])
})

test('every version describes classic groups in the order of the question', async () => {
  const client = await fixture.connect()
  const { classic, simple, consumer, member } = await threeGroups(client)
  for (const version of everyVersion(describeGroups)) {
    const asks = version >= 3
    const { groups } = await client.send(describeGroups, version, {
      groups: [classic, 'nobody', simple, consumer, classic],
      includeAuthorizedOperations: asks,
    })
    const ordered = fixture.ours
      ? groups
      : [classic, 'nobody', simple, consumer, classic].map(id => groups.find(each => each.groupId === id)!)
    const missing = version >= 6 ? ErrorCode.GROUP_ID_NOT_FOUND : 0
    assert.equal(
      ordered.map(group => [group.errorCode, group.groupState, group.protocolType, group.protocolData]),
      [
        [0, 'Stable', 'consumer', 'range'],
        [missing, 'Dead', '', ''],
        [0, 'Empty', '', ''],
        [missing, 'Dead', '', ''],
        [0, 'Stable', 'consumer', 'range'],
      ],
    )
    const [described] = ordered[0]!.members
    assert.equal(
      [described!.memberId, described!.clientId, described!.clientHost, described!.memberAssignment],
      [member.memberId, 'wire-client', '/127.0.0.1', new Uint8Array([1, 2, 3])],
    )
    assert.is(ordered[0]!.authorizedOperations, asks ? OPERATIONS : NOT_ASKED)
    assert.is(ordered[1]!.authorizedOperations, asks && missing === 0 ? OPERATIONS : NOT_ASKED)
    if (version >= 6) assert.is(ordered[1]!.errorMessage, 'Group nobody not found.')
  }
})

test('every version describes consumer groups in the order of the question', async () => {
  const client = await fixture.connect()
  const { classic, consumer, topic } = await threeGroups(client)
  for (const version of everyVersion(consumerGroupDescribe)) {
    const { groups } = await client.send(consumerGroupDescribe, version, {
      groupIds: [consumer, '', 'nobody', classic],
      includeAuthorizedOperations: true,
    })
    const ordered = [consumer, '', 'nobody', classic].map(id => groups.find(each => each.groupId === id)!)
    assert.equal(
      ordered.map(group => [group.errorCode, group.groupState, group.authorizedOperations]),
      [
        [0, 'Stable', OPERATIONS],
        [ErrorCode.INVALID_GROUP_ID, '', NOT_ASKED],
        [ErrorCode.GROUP_ID_NOT_FOUND, '', NOT_ASKED],
        [ErrorCode.GROUP_ID_NOT_FOUND, '', NOT_ASKED],
      ],
    )
    const { members, assignorName } = ordered[0]!
    const [member] = members
    assert.equal([assignorName, members.length, member!.subscribedTopicNames], ['uniform', 1, [topic.name]])
    assert.equal(member!.assignment.topicPartitions, [{ topicId: topic.id, topicName: topic.name, partitions: [0] }])
    assert.is(member!.memberType, version >= 1 ? 1 : -1)
  }
})

test('every version deletes empty groups and says why it keeps the others', async () => {
  const client = await fixture.connect()
  for (const version of everyVersion(deleteGroups)) {
    const { classic, simple, consumer, member } = await threeGroups(client)
    const remove = async (groupsNames: string[]) => {
      const { results } = await client.send(deleteGroups, version, { groupsNames })
      return groupsNames.map(id => results.filter(each => each.groupId === id).map(each => each.errorCode))
    }
    await findGroup(client, 'nobody')
    assert.equal(await remove([classic, simple, consumer, 'nobody']), [
      [ErrorCode.NON_EMPTY_GROUP],
      [0],
      [ErrorCode.NON_EMPTY_GROUP],
      [ErrorCode.GROUP_ID_NOT_FOUND],
    ])
    await client.send(leaveGroup, 3, { groupId: classic, memberId: '', members: [{ memberId: member.memberId }] })
    assert.equal(await remove([classic]), [[0]])
    assert.equal(await remove([classic]), [[ErrorCode.GROUP_ID_NOT_FOUND]])
  }
  const twice = await client.send(deleteGroups, 2, { groupsNames: ['nobody', 'nobody'] })
  assert.is(twice.results.length, 1)
})

test.run()
