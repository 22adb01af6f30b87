/**
 * What a group refuses, over real connections: each wrong request gets its code, the connection goes on,
 * and nobody else notices.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/apis/09-offset-fetch.ts'
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts'
import { joinGroup } from '../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { leaveGroup } from '../../src/protocol/apis/13-leave-group.ts'
import { syncGroup } from '../../src/protocol/apis/14-sync-group.ts'
import { describeGroups } from '../../src/protocol/apis/15-describe-groups.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { deleteGroups } from '../../src/protocol/apis/42-delete-groups.ts'
import { consumerGroupHeartbeat } from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { consumerGroupDescribe } from '../../src/protocol/apis/69-consumer-group-describe.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { eventually, quickGroups } from '../clients/target.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { anonymousBytes, UndisturbedClient } from '../support/disturbance.ts'
import { findGroup, joinAlone, joinConsumerGroup, newGroup } from '../support/groups.ts'
import { createTopic } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 180_000

const test = suite('bad input to groups')
let broker: BrokerProcess
let undisturbed: UndisturbedClient
let client: WireClient

test.before(async () => {
  broker = await startBrokerProcess(temporaryFolder('groups'), { settings: quickGroups, env: { ODRADEK_LOG: 'error' } })
  undisturbed = await UndisturbedClient.start(broker.port, 'undisturbed')
  client = await WireClient.connect(broker.port)
  await createTopic(client, 'read', 2)
})
test.after(async () => {
  assert.ok((await undisturbed.stop()) > 0)
  await client.close()
  const { code, stderr } = await broker.stop()
  assert.is(code, 0)
  // Of the requests that leave no room for an answer.
  const expected = /of 98301 bytes, more than 32767|a message of more than \d+ bytes/
  assert.equal(stderr.match(/"level":[56]0.*/g)?.filter(line => !expected.test(line)) ?? [], [])
})

const joining = {
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 30_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: new Uint8Array([0, 0, 0, 0, 0, 0, 255, 255, 255, 255]) }],
}

const join = (groupId: string, more: object = {}, version = 5, by = client) =>
  by.send(joinGroup, version, { groupId, ...joining, ...more })

/** Joins a static member, who need not come twice, and assigns to it. */
const joinStatic = async (groupId: string, groupInstanceId: string) => {
  const { memberId, generationId } = await join(groupId, { groupInstanceId })
  const assignments = [{ memberId, assignment: new Uint8Array([1]) }]
  const synced = await client.send(syncGroup, 3, { groupId, groupInstanceId, generationId, memberId, assignments })
  assert.is(synced.errorCode, 0)
  return { memberId, generationId, groupInstanceId }
}

interface Commit {
  readonly memberId?: string
  readonly groupInstanceId?: string
  readonly generationIdOrMemberEpoch?: number
}

/** Codes of a commit of one offset, by partition of the topic. */
const commit = async (
  groupId: string,
  member: Commit = {},
  { topic = 'read', partitions = [0], offset = 5n, metadata = '', version = 9 } = {},
) => {
  const committed = partitions.map(partitionIndex => ({
    partitionIndex,
    committedOffset: offset,
    committedMetadata: metadata,
  }))
  const topics = [{ name: topic, partitions: committed }]
  const { topics: answered } = await client.send(offsetCommit, version, { groupId, memberId: '', ...member, topics })
  return answered.flatMap(each => each.partitions.map(({ errorCode }) => errorCode))
}

const committed = async (groupId: string, partitionIndexes: readonly number[] = [0]) => {
  const groups = [{ groupId, topics: [{ name: 'read', partitionIndexes }] }]
  const answer = await client.send(offsetFetch, 9, { groupId: '', topics: [], groups })
  assert.is(answer.groups[0]!.errorCode, 0)
  return answer.groups[0]!.topics[0]!.partitions.map(({ committedOffset }) => committedOffset)
}

const consumer = (groupId: string, more: object = {}) =>
  client.send(consumerGroupHeartbeat, 1, {
    groupId,
    memberId: 'member',
    memberEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    subscribedTopicNames: ['read'],
    topicPartitions: [],
    ...more,
  })

test('a member that the group does not know is refused by every API', async () => {
  const groupId = await newGroup(client)
  const { generationId } = await joinAlone(client, groupId)
  const memberId = 'stranger'
  const code = ErrorCode.UNKNOWN_MEMBER_ID
  const its = { groupId, generationId, memberId }
  assert.is((await join(groupId, { memberId })).errorCode, code)
  assert.is((await client.send(syncGroup, 3, { ...its, assignments: [] })).errorCode, code)
  assert.is((await client.send(heartbeat, 3, its)).errorCode, code)
  const left = await client.send(leaveGroup, 3, { groupId, memberId: '', members: [{ memberId }] })
  assert.equal([left.errorCode, left.members[0]?.errorCode], [0, code])
  assert.equal(await commit(groupId, { memberId, generationIdOrMemberEpoch: generationId }), [code])
  const consumers = await newGroup(client)
  await joinConsumerGroup(client, consumers, ['read'])
  assert.is((await consumer(consumers, { memberId, memberEpoch: 2 })).errorCode, code)
})

test('a member of another generation is fenced by every API', async () => {
  const groupId = await newGroup(client)
  const { memberId, generationId } = await joinAlone(client, groupId)
  for (const other of [generationId - 1, generationId + 1, 2 ** 31 - 1]) {
    const its = { groupId, generationId: other, memberId }
    assert.is((await client.send(syncGroup, 3, { ...its, assignments: [] })).errorCode, ErrorCode.ILLEGAL_GENERATION)
    assert.is((await client.send(heartbeat, 3, its)).errorCode, ErrorCode.ILLEGAL_GENERATION)
    assert.equal(await commit(groupId, { memberId, generationIdOrMemberEpoch: other }), [ErrorCode.ILLEGAL_GENERATION])
  }
  assert.equal(await committed(groupId), [-1n])
})

test('a static member whose place another has taken is fenced by every API', async () => {
  const groupId = await newGroup(client)
  const former = await joinStatic(groupId, 'instance')
  const present = await join(groupId, { groupInstanceId: 'instance' })
  assert.equal([present.errorCode, present.generationId], [0, former.generationId])
  assert.is.not(present.memberId, former.memberId)
  const code = ErrorCode.FENCED_INSTANCE_ID
  const { memberId, generationId, groupInstanceId } = former
  const its = { groupId, memberId, generationId, groupInstanceId }
  assert.is((await join(groupId, { memberId, groupInstanceId })).errorCode, code)
  assert.is((await client.send(heartbeat, 3, its)).errorCode, code)
  assert.is((await client.send(syncGroup, 3, { ...its, assignments: [] })).errorCode, code)
  assert.equal(await commit(groupId, { memberId, groupInstanceId, generationIdOrMemberEpoch: generationId }), [code])
  const left = await client.send(leaveGroup, 3, { groupId, memberId: '', members: [{ memberId, groupInstanceId }] })
  assert.is(left.members[0]?.errorCode, code)
  assert.is((await client.send(heartbeat, 3, { ...its, memberId: present.memberId })).errorCode, 0)
})

test('an instance id that is the member id of another is nobody else', async () => {
  const groupId = await newGroup(client)
  const first = await joinStatic(groupId, 'first')
  const other = await WireClient.connect(broker.port)
  const second = join(groupId, { groupInstanceId: first.memberId }, 5, other)
  const beat = () => client.send(heartbeat, 3, { groupId, ...first })
  await eventually(beat, ({ errorCode }) => errorCode === ErrorCode.REBALANCE_IN_PROGRESS)
  const again = await join(groupId, { memberId: first.memberId, groupInstanceId: 'first' })
  const { memberId, generationId } = await second
  assert.is(again.generationId, generationId)
  assert.is.not(memberId, first.memberId)
  assert.equal(
    again.members.map(each => [each.memberId, each.groupInstanceId]).sort(),
    [
      [first.memberId, 'first'],
      [memberId, first.memberId],
    ].sort(),
  )
  await other.close()
})

test('a join with another protocol type or without a common protocol is refused, and makes no group', async () => {
  const groupId = await newGroup(client)
  const code = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  for (const more of [{ protocols: [] }, { protocolType: '' }, { protocolType: '', protocols: [] }]) {
    assert.is((await join(groupId, more)).errorCode, code)
  }
  const { groups } = await client.send(describeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
  assert.is(groups[0]?.errorCode, ErrorCode.GROUP_ID_NOT_FOUND)
  await joinAlone(client, groupId)
  const other = [{ name: 'another', metadata: new Uint8Array(0) }]
  for (const more of [{ protocolType: 'connect' }, { protocols: other }, { protocols: [] }, { protocolType: '' }]) {
    assert.is((await join(groupId, more)).errorCode, code)
  }
})

test('a session timeout that is out of bounds is refused', async () => {
  const groupId = await newGroup(client)
  for (const sessionTimeoutMs of [-1, 0, 999, 1_800_001, 2 ** 31 - 1, -(2 ** 31)]) {
    assert.is((await join(groupId, { sessionTimeoutMs })).errorCode, ErrorCode.INVALID_SESSION_TIMEOUT)
  }
})

test('a commit is refused for partitions that do not exist and taken for the others', async () => {
  const groupId = await newGroup(client)
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const partitions = [-1, 0, 2, -(2 ** 31), 1, 2 ** 31 - 1, 0]
  assert.equal((await commit(groupId, {}, { partitions })).toSorted(), [0, 0, 0, unknown, unknown, unknown, unknown])
  assert.equal(await commit(groupId, {}, { topic: 'nowhere', partitions: [0, 1] }), [unknown, unknown])
  assert.equal(await commit(groupId, {}, { topic: '', partitions: [0] }), [unknown])
  assert.equal(await committed(groupId, [-1, 0, 2, 1, 0]), [-1n, 5n, -1n, 5n, 5n])
})

test('metadata that is too long is refused, and what was committed stays', async () => {
  const groupId = await newGroup(client)
  assert.equal(await commit(groupId, {}, { offset: 1n, metadata: 'é'.repeat(4096) }), [0])
  for (const metadata of ['x'.repeat(4097), 'x'.repeat(32767)]) {
    assert.equal(await commit(groupId, {}, { offset: 2n, metadata }), [ErrorCode.OFFSET_METADATA_TOO_LARGE])
  }
  assert.equal(await committed(groupId), [1n])
})

test('a member of a generation that is over may not commit, and a group that is gone takes no generation', async () => {
  const groupId = await newGroup(client)
  const { memberId, generationId } = await joinAlone(client, groupId)
  const its = { memberId, generationIdOrMemberEpoch: generationId }
  assert.equal(await commit(groupId, its), [0])
  await client.send(leaveGroup, 3, { groupId, memberId: '', members: [{ memberId }] })
  assert.equal(await commit(groupId, its, { offset: 6n }), [ErrorCode.UNKNOWN_MEMBER_ID])
  assert.equal(await committed(groupId), [5n])
  const deleted = await client.send(deleteGroups, 2, { groupsNames: [groupId] })
  assert.is(deleted.results[0]?.errorCode, 0)
  assert.equal(await commit(groupId, its, { version: 8 }), [ErrorCode.ILLEGAL_GENERATION])
  assert.equal(await commit(groupId, its, { version: 9 }), [ErrorCode.GROUP_ID_NOT_FOUND])
})

test('requests of one protocol to a group of the other are refused', async () => {
  const [classic, consumers] = [await newGroup(client), await newGroup(client)]
  const member = await joinAlone(client, classic)
  const its = await joinConsumerGroup(client, consumers, ['read'])
  assert.is((await consumer(classic, { memberEpoch: 1 })).errorCode, ErrorCode.GROUP_ID_NOT_FOUND)
  assert.is((await consumer(classic, { memberId: member.memberId, memberEpoch: -1 })).errorCode, 69)
  const as = { groupId: consumers, memberId: its.memberId, generationId: its.memberEpoch }
  assert.is((await client.send(heartbeat, 3, as)).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is((await client.send(syncGroup, 3, { ...as, assignments: [] })).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  const protocols = [{ name: 'unknown', metadata: new Uint8Array(0) }]
  const code = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  assert.is((await join(consumers, { protocolType: 'connect', protocols })).errorCode, code)
  assert.equal(await commit(consumers, { memberId: its.memberId, generationIdOrMemberEpoch: its.memberEpoch }), [0])
  const old = { memberId: its.memberId, generationIdOrMemberEpoch: its.memberEpoch }
  assert.equal(await commit(consumers, old, { version: 8 }), [ErrorCode.UNSUPPORTED_VERSION])
})

test('a group id that is empty is refused by members, and holds the offsets of whoever has none', async () => {
  await findGroup(client, '')
  const code = ErrorCode.INVALID_GROUP_ID
  assert.is((await join('')).errorCode, code)
  const its = { groupId: '', generationId: 1, memberId: 'member' }
  assert.is((await client.send(syncGroup, 3, { ...its, assignments: [] })).errorCode, code)
  assert.is((await client.send(heartbeat, 3, its)).errorCode, code)
  assert.is(
    (await client.send(leaveGroup, 3, { groupId: '', memberId: '', members: [{ memberId: 'member' }] })).errorCode,
    code,
  )
  for (const groupId of ['', ' ', '\t\n']) {
    assert.is((await consumer(groupId)).errorCode, ErrorCode.INVALID_REQUEST, JSON.stringify(groupId))
  }
  assert.equal([await commit(''), await committed('')], [[0], [5n]])
})

/** The last has the Java hash code -2^31, of which there is no absolute value. */
const strangeIds = [
  'g'.repeat(32_767),
  'é'.repeat(16_383),
  '\u0000',
  '\u0000\u0001\u0007\n\r\u001b[31m\u007f\u0085\u2028',
  '\u{1f600}\u202e\ufeff',
  '__proto__',
  '../../etc/passwd',
  'polygenelubricants',
]

test('groups whose ids are as long as can be, or hold anything, are groups as others are', async () => {
  for (const groupId of strangeIds) {
    const found = await eventually(
      () => client.send(findCoordinator, 6, { keyType: 0, key: '', coordinatorKeys: [groupId] }),
      ({ coordinators }) => coordinators[0]?.errorCode === 0,
    )
    assert.is(found.coordinators[0]?.key, groupId)
    const { memberId, generationId } = await joinAlone(client, groupId)
    const member = { memberId, generationIdOrMemberEpoch: generationId }
    assert.equal(await commit(groupId, member, { partitions: [0, 1] }), [0, 0])
    assert.equal(await committed(groupId), [5n])
    const { groups } = await client.send(describeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
    assert.equal([groups[0]?.groupId, groups[0]?.groupState], [groupId, 'Stable'])
  }
})

test('a group id that is no UTF-8 is the one that it reads as', async () => {
  const groupId = 'not-??-utf8'
  const header = { correlationId: 77, clientId: null }
  const keys = { keyType: 0, key: '', coordinatorKeys: [groupId] }
  const frame = joinParts(encodeRequest(new Writer(), findCoordinator, 6, header, keys))
  const at = frame.indexOf(0x3f)
  frame.set([0xff, 0xed], at)
  await client.exchangeFrame(frame)
  const overlong = joinParts(
    encodeRequest(
      new Writer(),
      deleteGroups,
      2,
      { correlationId: 78, clientId: null },
      { groupsNames: ['?'.repeat(32_767)] },
    ),
  )
  overlong.fill(0xff, overlong.indexOf(0x3f), overlong.lastIndexOf(0x3f) + 1)
  await client.exchangeFrame(overlong).then(
    () => assert.unreachable('96 KiB fit no string'),
    () => client.closed,
  )
  client = await WireClient.connect(broker.port)
})

test('a member that joins and never syncs is left behind, and the others go on', async () => {
  const groupId = await newGroup(client)
  const silent = await WireClient.connect(broker.port)
  const rebalanceTimeoutMs = 1_500
  const first = await join(groupId, { rebalanceTimeoutMs })
  const { memberId } = await join(groupId, { memberId: first.memberId, rebalanceTimeoutMs })
  const its = await join(groupId, { rebalanceTimeoutMs }, 5, silent)
  const waiting = join(groupId, { memberId: its.memberId, rebalanceTimeoutMs }, 5, silent)
  const both = await join(groupId, { memberId, rebalanceTimeoutMs })
  assert.is((await waiting).generationId, both.generationId)
  const { generationId } = both
  const assignments = [{ memberId, assignment: new Uint8Array([1]) }]
  assert.is((await client.send(syncGroup, 3, { groupId, generationId, memberId, assignments })).errorCode, 0)
  const beat = () => client.send(heartbeat, 3, { groupId, generationId, memberId })
  await eventually(beat, ({ errorCode }) => errorCode === ErrorCode.REBALANCE_IN_PROGRESS)
  const alone = await join(groupId, { memberId, rebalanceTimeoutMs })
  assert.equal([alone.errorCode, alone.generationId, alone.members.length], [0, generationId + 1, 1])
  const late = { groupId, generationId, memberId: its.memberId, assignments: [] }
  assert.is((await silent.send(syncGroup, 3, late)).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  await silent.close()
})

test('a regular expression that others take for ever, or that is too large, costs nothing', async () => {
  await createTopic(client, 'a'.repeat(200), 1)
  const refused = ['(', '(x{1000}){1000}', 'x{1000000}', '('.repeat(16_000) + ')'.repeat(16_000), 'x'.repeat(32_767)]
  for (const [index, subscribedTopicRegex] of [...refused, '(a+)+$', '(a|a)*b', '(.*)*x'].entries()) {
    const groupId = await newGroup(client)
    const answer = await consumer(groupId, { subscribedTopicNames: [], subscribedTopicRegex })
    const isRefused = index < refused.length
    assert.is(answer.errorCode, isRefused ? ErrorCode.INVALID_REGULAR_EXPRESSION : 0, subscribedTopicRegex.slice(0, 30))
    if (isRefused) assert.match(answer.errorMessage ?? '', /no regular expression/)
  }
})

test('an offset of 2^63-1 is kept as it is, and so is one below 0', async () => {
  const groupId = await newGroup(client)
  for (const offset of [2n ** 63n - 1n, 2n ** 53n + 1n, -1n, -(2n ** 63n), 0n]) {
    assert.equal(await commit(groupId, {}, { offset }), [0])
    assert.equal(await committed(groupId), [offset])
  }
})

test('what one request names twice is answered twice, and the last counts', async () => {
  const groupId = await newGroup(client)
  const partitions = [1n, 2n, 3n].map(committedOffset => ({
    partitionIndex: 0,
    committedOffset,
    committedMetadata: '',
  }))
  const topics = [
    { name: 'read', partitions },
    { name: 'read', partitions: [{ partitionIndex: 0, committedOffset: 4n, committedMetadata: '' }] },
  ]
  const { topics: answered } = await client.send(offsetCommit, 9, { groupId, memberId: '', topics })
  assert.is(answered.flatMap(each => each.partitions).length, 4)
  assert.equal(await committed(groupId, [0, 0]), [4n, 4n])
  const { groups } = await client.send(describeGroups, 5, {
    groups: [groupId, groupId],
    includeAuthorizedOperations: false,
  })
  assert.is(groups.length, 2)
  const { memberId } = await joinAlone(client, groupId)
  const left = await client.send(leaveGroup, 3, { groupId, memberId: '', members: [{ memberId }, { memberId }] })
  assert.equal(
    left.members.map(({ errorCode }) => errorCode),
    [0, ErrorCode.UNKNOWN_MEMBER_ID],
  )
})

test('an answer that quotes what it refuses leaves the connection open, however long that is', async () => {
  const long = 'x'.repeat(32_767)
  await findGroup(client, long)
  const groupId = await newGroup(client)
  assert.is(
    (await client.send(describeGroups, 6, { groups: [long], includeAuthorizedOperations: false })).groups[0]?.errorCode,
    69,
  )
  assert.is(
    (await client.send(consumerGroupDescribe, 1, { groupIds: [long], includeAuthorizedOperations: false })).groups[0]
      ?.errorCode,
    69,
  )
  assert.is((await consumer(long, { memberEpoch: 1 })).errorCode, ErrorCode.GROUP_ID_NOT_FOUND)
  assert.is((await consumer(groupId, { serverAssignor: long })).errorCode, ErrorCode.UNSUPPORTED_ASSIGNOR)
  assert.is((await consumer(groupId, { instanceId: long })).errorCode, 0)
  const taken = await consumer(groupId, { memberId: long, instanceId: long })
  assert.is(taken.errorCode, ErrorCode.UNRELEASED_INSTANCE_ID)
  assert.is((await consumer(groupId, { memberId: long, memberEpoch: 1 })).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  const topic = { name: long, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  const created = await client.send(createTopics, 7, { topics: [topic], timeoutMs: 10_000 })
  assert.is(created.topics[0]?.errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION)
  assert.ok((created.topics[0]?.errorMessage ?? '').length > 0)
})

test('a question that is asked ten thousand times over costs its connection and no memory', async () => {
  const groupId = await newGroup(client)
  const protocols = [{ name: 'range', metadata: new Uint8Array(100_000) }]
  const { memberId } = await join(groupId, { protocols })
  const { generationId } = await join(groupId, { protocols, memberId })
  assert.is((await client.send(syncGroup, 3, { groupId, generationId, memberId, assignments: [] })).errorCode, 0)
  const greedy = await WireClient.connect(broker.port)
  const groups = new Array(10_000).fill(groupId)
  const before = anonymousBytes(broker.pid)
  await greedy.send(describeGroups, 5, { groups, includeAuthorizedOperations: false }).then(
    () => assert.unreachable('an answer of 1 GB'),
    () => greedy.closed,
  )
  const grown = (anonymousBytes(broker.pid) - before) >> 20
  assert.ok(grown < 1000, `grown by ${grown} MiB`)
  const offsets = await newGroup(client)
  await createTopic(client, 'wide', 1000)
  const partitions = Array.from({ length: 1000 }, (_, index) => index)
  const codes = await eventually(
    () => commit(offsets, {}, { topic: 'wide', partitions }),
    ([code]) => code === 0,
  )
  assert.is(codes.length, 1000)
  const all = { groupId: offsets, topics: null }
  const few = await client.send(offsetFetch, 9, {
    groupId: '',
    topics: [],
    groups: [all, all, { ...all, memberId: 'm' }],
  })
  assert.equal(
    few.groups.map(({ topics }) => topics[0]?.partitions.length),
    [1000, 1000, 1000],
  )
  const again = await WireClient.connect(broker.port)
  const fetching = { groupId: '', topics: [], groups: new Array(50_000).fill(all) }
  await again.send(offsetFetch, 9, fetching).then(
    () => assert.unreachable('fifty million offsets'),
    () => again.closed,
  )
  assert.is((await client.send(heartbeat, 3, { groupId, generationId, memberId })).errorCode, 0)
})

test('a client with a name as long as can be is a member as others are', async () => {
  for (const name of ['x'.repeat(32_767), `x${'\u{1f600}'.repeat(8190)}`]) {
    const named = await WireClient.connect(broker.port, '127.0.0.1', name)
    const groupId = await newGroup(named)
    const { memberId, generationId } = await joinAlone(named, groupId)
    assert.is((await named.send(heartbeat, 3, { groupId, generationId, memberId })).errorCode, 0)
    const { groups } = await named.send(describeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
    assert.is(groups[0]?.members[0]?.clientId, name)
    await named.close()
  }
})

test.run()
