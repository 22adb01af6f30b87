/** ConsumerGroupHeartbeat over the wire: what it answers, what it refuses, and the offsets of its members. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetCommit } from '../../../src/protocol/apis/08-offset-commit.ts'
import { offsetFetch } from '../../../src/protocol/apis/09-offset-fetch.ts'
import { heartbeat } from '../../../src/protocol/apis/12-heartbeat.ts'
import { consumerGroupHeartbeat } from '../../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { consumerGroupDescribe } from '../../../src/protocol/apis/69-consumer-group-describe.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { everyVersion, startTestBroker, type TestBroker } from '../../support/broker.ts'
import { findGroup, joinConsumerGroup, newGroup } from '../../support/groups.ts'
import type { WireClient } from '../../support/wire-client.ts'

const test = suite('consumer groups')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

function beat(client: WireClient, version: number, groupId: string, more: object = {}) {
  return client.send(consumerGroupHeartbeat, version, {
    groupId,
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 10_000,
    subscribedTopicNames: [],
    topicPartitions: [],
    ...more,
  })
}

test('every version joins, is assigned and leaves', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic({ partitions: 3 })
  for (const version of everyVersion(consumerGroupHeartbeat)) {
    const groupId = await newGroup(client)
    let answer = await beat(client, version, groupId, { subscribedTopicNames: [topic.name] })
    assert.equal([answer.errorCode, answer.memberId, answer.heartbeatIntervalMs], [0, 'm', 5000])
    assert.ok(answer.memberEpoch > 0)
    let assigned = answer.assignment
    while (assigned === null || assigned.topicPartitions.length === 0) {
      await new Promise(resolve => setTimeout(resolve, 10))
      answer = await client.send(consumerGroupHeartbeat, version, {
        groupId,
        memberId: 'm',
        memberEpoch: answer.memberEpoch,
      })
      assigned = answer.assignment
    }
    assert.equal(
      assigned.topicPartitions.map(each => [each.topicId, each.partitions.toSorted()]),
      [[topic.id, [0, 1, 2]]],
    )
    const left = await beat(client, version, groupId, { memberEpoch: -1 })
    assert.equal([left.errorCode, left.memberEpoch], [0, -1])
  }
})

test('a member of the oldest version is given an id', async () => {
  const client = await fixture.connect()
  const answer = await beat(client, 0, await newGroup(client), { memberId: '' })
  assert.is(answer.errorCode, 0)
  assert.match(answer.memberId ?? '', /^[\w-]{22}$/)
})

test('a heartbeat is refused for what it lacks, with a reason', async () => {
  const client = await fixture.connect()
  const groupId = await newGroup(client)
  await findGroup(client, '')
  const invalid: [number, object][] = [
    [1, { memberId: '' }],
    [0, { memberId: '', memberEpoch: 1 }],
    [1, { groupId: '' }],
    [1, { instanceId: '' }],
    [1, { rackId: ' ' }],
    [1, { rebalanceTimeoutMs: -1 }],
    [1, { topicPartitions: null }],
    [1, { subscribedTopicNames: null }],
    [1, { memberEpoch: -2 }],
    [1, { memberEpoch: -3 }],
  ]
  for (const [version, more] of invalid) {
    const answer = await beat(client, version, groupId, more)
    assert.is(answer.errorCode, ErrorCode.INVALID_REQUEST, JSON.stringify(more))
    assert.ok((answer.errorMessage ?? '').length > 10)
  }
  const codes: [object, number][] = [
    [{ serverAssignor: 'sticky' }, ErrorCode.UNSUPPORTED_ASSIGNOR],
    [{ memberEpoch: 5 }, ErrorCode.GROUP_ID_NOT_FOUND],
    [{ subscribedTopicNames: null, subscribedTopicRegex: '(' }, ErrorCode.INVALID_REGULAR_EXPRESSION],
  ]
  for (const [more, code] of codes) assert.is((await beat(client, 1, groupId, more)).errorCode, code)
})

test('a regular expression that takes others for ever is answered at once', async () => {
  const client = await fixture.connect()
  await fixture.topic()
  const answer = await beat(client, 1, await newGroup(client), {
    subscribedTopicNames: null,
    subscribedTopicRegex: '(t*)*(o*)*(p*)*((a|a?)+)+$',
  })
  assert.is(answer.errorCode, 0)
})

test('members are fenced by their epoch and unknown ones turned away', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  const { memberId, memberEpoch } = await joinConsumerGroup(client, groupId, [topic.name])
  const code = async (more: object) => (await beat(client, 1, groupId, { memberId, ...more })).errorCode
  assert.is(await code({ memberEpoch: memberEpoch + 1 }), ErrorCode.FENCED_MEMBER_EPOCH)
  assert.is(await code({ memberId: 'stranger', memberEpoch }), ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(await code({ memberId: 'stranger', memberEpoch: -1 }), ErrorCode.UNKNOWN_MEMBER_ID)
  const classic = await client.send(heartbeat, 3, { groupId, memberId, generationId: memberEpoch })
  assert.is(classic.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a member commits and fetches in its epoch', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  const { memberId, memberEpoch } = await joinConsumerGroup(client, groupId, [topic.name])
  const commit = async (version: number, epoch: number, id = memberId) => {
    const { topics } = await client.send(offsetCommit, version, {
      groupId,
      memberId: id,
      generationIdOrMemberEpoch: epoch,
      topics: [
        {
          ...(version >= 10 ? { topicId: topic.id } : { name: topic.name }),
          partitions: [{ partitionIndex: 0, committedOffset: 11n, committedMetadata: null }],
        },
      ],
    })
    return topics[0]!.partitions[0]!.errorCode
  }
  assert.is(await commit(9, memberEpoch), 0)
  assert.is(await commit(10, memberEpoch), 0)
  assert.is(await commit(9, memberEpoch + 1), ErrorCode.STALE_MEMBER_EPOCH)
  assert.is(await commit(9, memberEpoch, 'stranger'), ErrorCode.UNKNOWN_MEMBER_ID)
  const fetch = async (more: object) => {
    const { groups } = await client.send(offsetFetch, 9, {
      groupId: '',
      topics: [],
      groups: [{ groupId, topics: [{ name: topic.name, partitionIndexes: [0] }], ...more }],
    })
    return [groups[0]!.errorCode, groups[0]!.topics[0]?.partitions[0]?.committedOffset]
  }
  assert.equal(await fetch({ memberId, memberEpoch }), [0, 11n])
  assert.equal(await fetch({}), [0, 11n])
  assert.equal(await fetch({ memberId, memberEpoch: memberEpoch + 1 }), [ErrorCode.STALE_MEMBER_EPOCH, undefined])
  assert.equal(await fetch({ memberId: 'stranger', memberEpoch }), [ErrorCode.UNKNOWN_MEMBER_ID, undefined])
})

test('there are no consumer groups when the protocol is switched off', async () => {
  if (!fixture.ours) return
  const classic = await startTestBroker({ config: { 'group.coordinator.rebalance.protocols': 'classic' } })
  try {
    const client = await classic.connect()
    await findGroup(client, 'g')
    assert.is((await beat(client, 1, 'g')).errorCode, ErrorCode.UNSUPPORTED_VERSION)
    const { groups } = await client.send(consumerGroupDescribe, 1, {
      groupIds: ['g'],
      includeAuthorizedOperations: false,
    })
    assert.is(groups[0]!.errorCode, ErrorCode.UNSUPPORTED_VERSION)
  } finally {
    await classic.close()
  }
})

test.run()
