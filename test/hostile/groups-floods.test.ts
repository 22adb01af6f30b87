/** Groups that are flooded: with ids, members that never come back, connections that end, and questions without end. */
import { connect } from 'node:net'
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
import { listGroups } from '../../src/protocol/apis/16-list-groups.ts'
import { deleteGroups } from '../../src/protocol/apis/42-delete-groups.ts'
import { consumerGroupHeartbeat } from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { eventually, quickGroups } from '../clients/target.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { anonymousBytes, eachOf, UndisturbedClient } from '../support/disturbance.ts'
import { findGroup, joinAlone, newGroup } from '../support/groups.ts'
import { createTopic } from '../support/records-client.ts'
import { framed } from '../support/sockets.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 300_000

const CONNECTIONS = 20
const MEBIBYTE = 1 << 20

const test = suite('floods of groups')
let broker: BrokerProcess
let undisturbed: UndisturbedClient
let client: WireClient
let clients: WireClient[]

test.before(async () => {
  broker = await startBrokerProcess(temporaryFolder('floods'), { settings: quickGroups, env: { ODRADEK_LOG: 'error' } })
  undisturbed = await UndisturbedClient.start(broker.port, 'undisturbed')
  client = await WireClient.connect(broker.port)
  clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => WireClient.connect(broker.port)))
  await createTopic(client, 'read')
  // Some of every partition.
  const coordinatorKeys = Array.from({ length: 2000 }, (_, index) => `key-${index}`)
  const ask = () => client.send(findCoordinator, 6, { keyType: 0, key: '', coordinatorKeys })
  await eventually(ask, ({ coordinators }) => coordinators.every(({ errorCode }) => errorCode === 0))
})
test.after(async () => {
  assert.ok((await undisturbed.stop()) > 0)
  for (const each of [client, ...clients]) await each.close()
  const { code, stderr } = await broker.stop()
  assert.equal([code, stderr], [0, ''])
})

const joining = {
  sessionTimeoutMs: 1_000,
  rebalanceTimeoutMs: 1_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: new Uint8Array([0, 0, 0, 0, 0, 0, 255, 255, 255, 255]) }],
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** Runs `act` on every item, spread over the connections. */
const flood = async <Item>(items: readonly Item[], act: (by: WireClient, item: Item) => Promise<void>) => {
  await eachOf(items.entries(), CONNECTIONS, ([index, item]) => act(clients[index % CONNECTIONS] as WireClient, item))
}

/** Fails when `act` leaves more than so much memory behind. */
const within = async (mebibytes: number, act: () => Promise<void>) => {
  const before = anonymousBytes(broker.pid)
  await act()
  const grown = (anonymousBytes(broker.pid) - before) / MEBIBYTE
  assert.ok(grown < mebibytes, `grown by ${Math.round(grown)} MiB`)
}

test('ten thousand ids that nobody brings back are forgotten when their sessions are over', async () => {
  const groupId = await newGroup(client)
  await within(200, async () => {
    await flood(range(10_000), async by => {
      const { errorCode } = await by.send(joinGroup, 5, { groupId, ...joining })
      assert.is(errorCode, ErrorCode.MEMBER_ID_REQUIRED)
    })
  })
  // A group with ids that are out is no simple one, and a rebalance would wait for them.
  const alone = { ...joining, sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 }
  const joined = await eventually(
    async () => {
      const { memberId } = await client.send(joinGroup, 5, { groupId, ...alone })
      return client.send(joinGroup, 5, { groupId, ...alone, memberId })
    },
    ({ errorCode }) => errorCode === 0,
  )
  assert.is(joined.members.length, 1)
})

test('ten thousand groups that are joined once are listed, described, fetched, deleted, and gone', async () => {
  const ids = range(10_000).map(index => `once-${index}`)
  const listed = async () => {
    const { groups } = await client.send(listGroups, 5, { statesFilter: [], typesFilter: [] })
    return groups.filter(({ groupId }) => groupId.startsWith('once-')).length
  }
  await within(250, async () => {
    await flood(ids, async (by, groupId) => {
      assert.is((await by.send(joinGroup, 5, { groupId, ...joining })).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
    })
    assert.is(await listed(), ids.length)
    const described = await client.send(describeGroups, 6, { groups: ids, includeAuthorizedOperations: false })
    assert.ok(described.groups.every(({ errorCode, groupState }) => errorCode === 0 && groupState === 'Empty'))
    const groups = ids.map(groupId => ({ groupId, topics: null }))
    const fetched = await client.send(offsetFetch, 9, { groupId: '', topics: [], groups })
    assert.ok(fetched.groups.every(({ groupId, errorCode }, index) => errorCode === 0 && groupId === ids[index]))
  })
  const { results } = await client.send(deleteGroups, 2, { groupsNames: ids })
  assert.equal([results.length, [...new Set(results.map(({ errorCode }) => errorCode))]], [ids.length, [0]])
  assert.is(await listed(), 0)
})

test('a question about two hundred thousand groups is answered in full', async () => {
  const ids = range(200_000).map(index => `unknown-${index}`)
  await within(700, async () => {
    const groups = ids.map(groupId => ({ groupId, topics: null }))
    const fetched = await client.send(offsetFetch, 9, { groupId: '', topics: [], groups })
    assert.is(fetched.groups.length, ids.length)
    const described = await client.send(describeGroups, 6, { groups: ids, includeAuthorizedOperations: false })
    assert.is(described.groups.length, ids.length)
    const found = await client.send(findCoordinator, 6, { keyType: 0, key: '', coordinatorKeys: ids })
    assert.is(found.coordinators.length, ids.length)
    const deleted = await client.send(deleteGroups, 2, { groupsNames: ids })
    assert.is(deleted.results.length, ids.length)
  })
})

test('a commit for two hundred thousand partitions, of which none exists or all are the same, is answered in full', async () => {
  const groupId = await newGroup(client)
  const committing = async (name: string, indexes: readonly number[]) => {
    const offsets = indexes.map(partitionIndex => ({ partitionIndex, committedOffset: 1n, committedMetadata: '' }))
    const topics = [{ name, partitions: offsets }]
    const answer = await client.send(offsetCommit, 9, { groupId, memberId: '', topics })
    const codes = answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
    return [codes.length, ...new Set(codes)]
  }
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  assert.equal(await committing('nowhere', range(200_000)), [200_000, unknown])
  assert.equal(
    await committing(
      'read',
      range(200_000).map(index => index + 1),
    ),
    [200_000, unknown],
  )
  assert.equal(await committing('read', new Array(200_000).fill(0)), [200_000, 0])
})

test('a thousand connections that end while their joins wait leave a group that others can use', async () => {
  const groupId = await newGroup(client)
  const gone = await Promise.all(range(1000).map(() => WireClient.connect(broker.port)))
  const ids = await Promise.all(
    gone.map(async each => (await each.send(joinGroup, 5, { groupId, ...joining })).memberId),
  )
  for (const [index, each] of gone.entries()) {
    // Nobody waits for the answer.
    each.send(joinGroup, 5, { groupId, ...joining, memberId: ids[index] as string }).catch(() => {})
  }
  const state = async () => {
    const { groups } = await client.send(describeGroups, 5, { groups: [groupId], includeAuthorizedOperations: false })
    return { state: groups[0]?.groupState, members: groups[0]?.members.length ?? 0 }
  }
  await eventually(state, ({ members }) => members > 0)
  await Promise.all(gone.map(each => each.close()))
  await eventually(state, ({ state: now, members }) => now === 'Empty' && members === 0)
  const { memberId, generationId } = await joinAlone(client, groupId)
  assert.is((await client.send(heartbeat, 3, { groupId, memberId, generationId })).errorCode, 0)
})

test('commits that nobody reads the answers of fill no memory, and are answered when somebody does', async () => {
  const groupId = await newGroup(client)
  const partitions = [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: '' }]
  const request = { groupId, memberId: '', topics: [{ name: 'read', partitions }] }
  const header = { correlationId: 1, clientId: null }
  const one = framed(joinParts(encodeRequest(new Writer(), offsetCommit, 8, header, request)))
  const many = new Uint8Array(one.length * 10_000)
  for (let index = 0; index < 10_000; index++) many.set(one, index * one.length)
  const socket = connect({ host: '127.0.0.1', port: broker.port })
  socket.on('error', () => {})
  socket.pause()
  await within(150, async () => {
    for (let round = 0; round < 50; round++) socket.write(many)
    // As far as it goes; then the broker reads no more.
    let taken = -1
    while (taken !== socket.bytesWritten - socket.writableLength) {
      taken = socket.bytesWritten - socket.writableLength
      await new Promise(resolve => setTimeout(resolve, 500))
    }
    assert.is((await client.send(heartbeat, 3, { groupId, memberId: 'm', generationId: 1 })).errorCode, 25)
  })
  let received = 0
  socket.on('data', chunk => {
    received += chunk.length
  })
  socket.resume()
  await eventually(
    () => received,
    bytes => bytes > MEBIBYTE,
  )
  socket.destroy()
})

test('an assignment that no batch holds is refused, and the group goes on with one that fits', async () => {
  const groupId = await newGroup(client)
  const first = await client.send(joinGroup, 5, { groupId, ...joining, sessionTimeoutMs: 30_000 })
  const its = { groupId, ...joining, sessionTimeoutMs: 30_000, memberId: first.memberId }
  for (const [bytes, errorCode] of [
    [2 * MEBIBYTE, ErrorCode.UNKNOWN_SERVER_ERROR],
    [16 * MEBIBYTE, ErrorCode.UNKNOWN_SERVER_ERROR],
    [1000, 0],
  ] as const) {
    const { generationId, memberId } = await client.send(joinGroup, 5, its)
    const assignments = [{ memberId, assignment: new Uint8Array(bytes) }]
    const synced = await client.send(syncGroup, 3, { groupId, generationId, memberId, assignments })
    assert.is(synced.errorCode, errorCode)
    const beat = await client.send(heartbeat, 3, { groupId, generationId, memberId })
    assert.is(beat.errorCode, errorCode === 0 ? 0 : ErrorCode.REBALANCE_IN_PROGRESS)
  }
})

test('five members with 8 MiB of metadata each are refused when they would be written, and leave nothing behind', async () => {
  const groupId = await newGroup(client)
  const protocols = [{ name: 'range', metadata: new Uint8Array(8 * MEBIBYTE) }]
  const large = { groupId, ...joining, sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, protocols }
  await within(250, async () => {
    for (const by of clients.slice(0, 5)) {
      const first = await by.send(joinGroup, 5, large)
      const its = { ...large, memberId: first.memberId }
      // Who leads is sent all of it.
      const { generationId, memberId, errorCode } = await by.send(joinGroup, 5, its)
      assert.is(errorCode, 0)
      const synced = await by.send(syncGroup, 3, { groupId, generationId, memberId, assignments: [] })
      assert.is(synced.errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
      const left = await by.send(leaveGroup, 3, { groupId, memberId: '', members: [{ memberId }] })
      assert.is(left.errorCode, 0)
    }
  })
})

test('a consumer that names more topics than a batch holds is refused and makes no group', async () => {
  const groupId = await newGroup(client)
  const heartbeatOf = (names: number) =>
    client.send(consumerGroupHeartbeat, 1, {
      groupId,
      memberId: 'member',
      memberEpoch: 0,
      rebalanceTimeoutMs: 30_000,
      subscribedTopicNames: range(names).map(index => `topic-${index}`),
      topicPartitions: [],
    })
  assert.is((await heartbeatOf(400_000)).errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
  const { groups } = await client.send(listGroups, 5, { statesFilter: [], typesFilter: [] })
  assert.not.ok(groups.some(group => group.groupId === groupId))
  assert.is((await heartbeatOf(50_000)).errorCode, 0)
})

test('a thousand consumers that never come back are fenced, and the one that does owns everything', async () => {
  const groupId = await newGroup(client)
  await findGroup(client, groupId)
  const beat = (by: WireClient, memberId: string, more: object) =>
    by.send(consumerGroupHeartbeat, 1, { groupId, memberId, memberEpoch: 0, ...more })
  const joins = { rebalanceTimeoutMs: 30_000, subscribedTopicNames: ['read'], topicPartitions: [] }
  await flood(range(1000), async (by, index) => {
    assert.is((await beat(by, `lost-${index}`, joins)).errorCode, 0)
  })
  let { memberEpoch } = await beat(client, 'faithful', joins)
  await eventually(
    async () => {
      const answer = await beat(client, 'faithful', { memberEpoch })
      assert.is(answer.errorCode, 0)
      memberEpoch = answer.memberEpoch
      return answer.assignment?.topicPartitions.length ?? 0
    },
    owned => owned === 1,
  )
})

test.run()
