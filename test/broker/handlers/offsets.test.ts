/** OffsetCommit, OffsetFetch and OffsetDelete as a client without a membership uses them, and as a member does. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetCommit } from '../../../src/protocol/apis/08-offset-commit.ts'
import { offsetFetch } from '../../../src/protocol/apis/09-offset-fetch.ts'
import { heartbeat } from '../../../src/protocol/apis/12-heartbeat.ts'
import { deleteTopics } from '../../../src/protocol/apis/20-delete-topics.ts'
import { offsetDelete } from '../../../src/protocol/apis/47-offset-delete.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { everyVersion, startTestBroker, type TestBroker } from '../../support/broker.ts'
import { findGroup, joinAlone, newGroup } from '../../support/groups.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import type { WireClient } from '../../support/wire-client.ts'

const test = suite('offsets')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAACA'

interface Committing {
  readonly memberId?: string
  readonly generationId?: number
  readonly metadata?: string | null
}

async function commit(
  client: WireClient,
  version: number,
  groupId: string,
  topics: readonly {
    readonly name: string
    readonly id: string
    readonly offsets: readonly (readonly [number, bigint])[]
  }[],
  { memberId = '', generationId = -1, metadata = 'of us' }: Committing = {},
) {
  const { topics: answered } = await client.send(offsetCommit, version, {
    groupId,
    memberId,
    generationIdOrMemberEpoch: generationId,
    topics: topics.map(({ name, id, offsets }) => ({
      name: version >= 10 ? '' : name,
      topicId: id,
      partitions: offsets.map(([partitionIndex, committedOffset]) => ({
        partitionIndex,
        committedOffset,
        committedLeaderEpoch: 0,
        committedMetadata: metadata,
      })),
    })),
  })
  return answered.map(topic => [
    version >= 10 ? topic.topicId : topic.name,
    ...topic.partitions.map(each => [each.partitionIndex, each.errorCode]),
  ])
}

/** `partition:offset:metadata:code` of each. */
async function fetch(
  client: WireClient,
  version: number,
  groupId: string,
  topics: readonly { readonly name: string; readonly id: string; readonly partitions: readonly number[] }[] | null,
) {
  const named = (topics ?? []).map(({ name, id, partitions: partitionIndexes }) => ({
    name: version >= 10 ? '' : name,
    topicId: id,
    partitionIndexes,
  }))
  const several = version >= 8
  const answer = await client.send(offsetFetch, version, {
    groupId: several ? '' : groupId,
    topics: several
      ? []
      : topics === null
        ? null
        : named.map(({ name, partitionIndexes }) => ({ name, partitionIndexes })),
    groups: several ? [{ groupId, topics: topics === null ? null : named }] : [],
  })
  const { topics: answered, errorCode } = several ? answer.groups[0]! : answer
  return {
    errorCode,
    topics: answered.map(topic => [
      'topicId' in topic && version >= 10 ? topic.topicId : topic.name,
      ...topic.partitions.map(
        each => `${each.partitionIndex}:${each.committedOffset}:${each.metadata}:${each.errorCode}`,
      ),
    ]),
  }
}

test('every version of a commit is seen by every version of a fetch', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic({ partitions: 2 })
  const groupId = await newGroup(client)
  for (const version of everyVersion(offsetCommit)) {
    const offset = BigInt(100 + version)
    const its = version >= 10 ? topic.id : topic.name
    assert.equal(await commit(client, version, groupId, [{ ...topic, offsets: [[1, offset]] }]), [[its, [1, 0]]])
    for (const fetched of everyVersion(offsetFetch)) {
      const name = fetched >= 10 ? topic.id : topic.name
      const found = await fetch(client, fetched, groupId, [{ ...topic, partitions: [0, 1] }])
      assert.equal(found, { errorCode: 0, topics: [[name, '0:-1::0', `1:${offset}:of us:0`]] }, `${version} ${fetched}`)
    }
  }
})

test('all of a group is fetched when no topics are named', async () => {
  const client = await fixture.connect()
  const one = await fixture.topic()
  const two = await fixture.topic()
  const groupId = await newGroup(client)
  await commit(client, 8, groupId, [
    { ...one, offsets: [[0, 5n]] },
    { ...two, offsets: [[0, 6n]] },
  ])
  for (const version of everyVersion(offsetFetch).filter(each => each >= 2)) {
    const { errorCode, topics } = await fetch(client, version, groupId, null)
    assert.is(errorCode, 0)
    assert.equal(
      topics.sort((a, b) => (String(a[1]) < String(b[1]) ? -1 : 1)),
      [
        [version >= 10 ? one.id : one.name, '0:5:of us:0'],
        [version >= 10 ? two.id : two.name, '0:6:of us:0'],
      ],
    )
  }
})

test('several groups are fetched in one request, each with its own answer', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groups = [await newGroup(client), await newGroup(client), await newGroup(client)]
  for (const [index, groupId] of groups.entries())
    await commit(client, 9, groupId, [{ ...topic, offsets: [[0, BigInt(index)]] }])
  const answer = await client.send(offsetFetch, 9, {
    groupId: '',
    topics: [],
    groups: [...groups, 'nobody'].map(groupId => ({ groupId, topics: [{ name: topic.name, partitionIndexes: [0] }] })),
    requireStable: true,
  })
  assert.equal(
    answer.groups.map(group => [group.groupId, group.errorCode, group.topics[0]?.partitions[0]?.committedOffset]),
    [...groups.map((groupId, index) => [groupId, 0, BigInt(index)]), ['nobody', 0, -1n]],
  )
})

test('an offset of any 64 bits comes back as it was', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  for (const offset of [2n ** 63n - 1n, 2n ** 53n + 1n, 0n, 2n ** 32n]) {
    assert.equal(await commit(client, 8, groupId, [{ ...topic, offsets: [[0, offset]] }]), [[topic.name, [0, 0]]])
    const { topics } = await fetch(client, 8, groupId, [{ ...topic, partitions: [0] }])
    assert.equal(topics, [[topic.name, `0:${offset}:of us:0`]])
  }
})

test('a commit is refused for what does not exist and taken for the rest', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic({ partitions: 2 })
  const groupId = await newGroup(client)
  const nowhere = { name: 'nowhere', id: UNKNOWN_ID }
  const asked = [
    {
      ...topic,
      offsets: [
        [0, 1n],
        [2, 1n],
        [1, 1n],
      ] as const,
    },
    { ...nowhere, offsets: [[0, 1n]] as const },
  ]
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  assert.equal(await commit(client, 9, groupId, asked), [
    [topic.name, [2, unknown], [0, 0], [1, 0]],
    ['nowhere', [0, unknown]],
  ])
  assert.equal(await commit(client, 10, groupId, asked), [
    [topic.id, [2, unknown], [0, 0], [1, 0]],
    [UNKNOWN_ID, [0, ErrorCode.UNKNOWN_TOPIC_ID]],
  ])
  assert.equal(await commit(client, 9, groupId, [asked[1]!]), [['nowhere', [0, unknown]]])
})

test('commits that are sent without waiting are carried out and answered in order', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  const order: number[] = []
  const commits = Array.from({ length: 200 }, async (_, index) => {
    const answer = await commit(client, 8, groupId, [{ ...topic, offsets: [[0, BigInt(index)]] }])
    order.push(index)
    return answer
  })
  // Asked before any of them is answered.
  const fetched = fetch(client, 8, groupId, [{ ...topic, partitions: [0] }])
  for (const answer of await Promise.all(commits)) assert.equal(answer, [[topic.name, [0, 0]]])
  assert.equal(
    order,
    order.map((_, index) => index),
  )
  assert.equal((await fetched).topics, [[topic.name, '0:199:of us:0']])
})

test('metadata may have the configured length and no character more', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  const longest = 'm'.repeat(4096)
  const offsets = [[0, 1n]] as const
  assert.equal(await commit(client, 8, groupId, [{ ...topic, offsets }], { metadata: longest }), [[topic.name, [0, 0]]])
  assert.equal(await commit(client, 8, groupId, [{ ...topic, offsets }], { metadata: `${longest}m` }), [
    [topic.name, [0, ErrorCode.OFFSET_METADATA_TOO_LARGE]],
  ])
})

test('a fetch by an id that nobody knows says so, behind the others', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  await commit(client, 10, groupId, [{ ...topic, offsets: [[0, 3n]] }])
  const found = await fetch(client, 10, groupId, [
    { name: '', id: UNKNOWN_ID, partitions: [0, 4] },
    { ...topic, partitions: [0] },
  ])
  const code = ErrorCode.UNKNOWN_TOPIC_ID
  assert.equal(found.topics, [
    [topic.id, '0:3:of us:0'],
    [UNKNOWN_ID, `0:-1::${code}`, `4:-1::${code}`],
  ])
})

test('only a member of the present generation may commit when the group has members', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  const { memberId, generationId } = await joinAlone(client, groupId, [topic.name])
  const asked = [{ ...topic, offsets: [[0, 1n]] as const }]
  const code = async (version: number, member: Committing) =>
    (await commit(client, version, groupId, asked, member))[0]![1]
  assert.equal(await code(8, { memberId, generationId }), [0, 0])
  assert.equal(await code(8, { memberId, generationId: generationId + 1 }), [0, ErrorCode.ILLEGAL_GENERATION])
  assert.equal(await code(8, { memberId: 'stranger', generationId }), [0, ErrorCode.UNKNOWN_MEMBER_ID])
  assert.equal(await code(8, {}), [0, ErrorCode.UNKNOWN_MEMBER_ID])
})

test('a commit with a generation to a group that is not there is refused by the code its version knows', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const groupId = await newGroup(client)
  const asked = [{ ...topic, offsets: [[0, 1n]] as const }]
  const member = { memberId: 'm', generationId: 1 }
  assert.equal(await commit(client, 8, groupId, asked, member), [[topic.name, [0, ErrorCode.ILLEGAL_GENERATION]]])
  assert.equal(await commit(client, 9, groupId, asked, member), [[topic.name, [0, ErrorCode.GROUP_ID_NOT_FOUND]]])
})

test('group ids that are empty, very long or unprintable are groups as others are for offsets', async () => {
  const client = await fixture.connect()
  const topic = await fixture.topic()
  for (const groupId of ['', 'g'.repeat(32_000), '\u0000\u0007\n']) {
    await findGroup(client, groupId)
    assert.equal(await commit(client, 8, groupId, [{ ...topic, offsets: [[0, 7n]] }]), [[topic.name, [0, 0]]])
    const { topics } = await fetch(client, 8, groupId, [{ ...topic, partitions: [0] }])
    assert.equal(topics, [[topic.name, '0:7:of us:0']])
  }
})

test('offsets are deleted where nobody subscribes, and what does not exist is told apart', async () => {
  const client = await fixture.connect()
  const read = await fixture.topic()
  const left = await fixture.topic()
  const groupId = await newGroup(client)
  const { memberId, generationId } = await joinAlone(client, groupId, [read.name])
  const offsets = [[0, 1n]] as const
  await commit(
    client,
    8,
    groupId,
    [
      { ...read, offsets },
      { ...left, offsets },
    ],
    { memberId, generationId },
  )
  const answer = await client.send(offsetDelete, 0, {
    groupId,
    topics: [
      { name: 'nowhere', partitions: [{ partitionIndex: 0 }] },
      { name: read.name, partitions: [{ partitionIndex: 0 }] },
      { name: left.name, partitions: [{ partitionIndex: 0 }, { partitionIndex: 3 }] },
    ],
  })
  assert.is(answer.errorCode, 0)
  const codes = new Map(answer.topics.map(topic => [topic.name, topic.partitions.map(each => each.errorCode)]))
  assert.equal(codes.get('nowhere'), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
  assert.equal(codes.get(read.name), [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC])
  assert.equal(codes.get(left.name)!.toSorted(), [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
  const { topics } = await fetch(client, 8, groupId, [
    { ...read, partitions: [0] },
    { ...left, partitions: [0] },
  ])
  assert.equal(topics, [
    [read.name, '0:1:of us:0'],
    [left.name, '0:-1::0'],
  ])
  const ask = async (id: string) => (await client.send(offsetDelete, 0, { groupId: id, topics: [] })).errorCode
  assert.is(await ask(''), ErrorCode.INVALID_GROUP_ID)
  assert.is(await ask(await newGroup(client)), ErrorCode.GROUP_ID_NOT_FOUND)
})

test('committed offsets outlive their broker', async () => {
  if (!fixture.ours) return
  const dir = temporaryFolder()
  const first = await startTestBroker({ dir })
  const topic = await first.topic()
  const client = await first.connect()
  const groupId = await newGroup(client)
  const { memberId, generationId } = await joinAlone(client, groupId, [topic.name])
  await commit(client, 8, groupId, [{ ...topic, offsets: [[0, 42n]] }], { memberId, generationId })
  await first.close()
  const second = await startTestBroker({ dir })
  try {
    const again = await second.connect()
    await findGroup(again, groupId)
    const { topics } = await fetch(again, 8, groupId, [{ ...topic, partitions: [0] }])
    assert.equal(topics, [[topic.name, '0:42:of us:0']])
    assert.is((await again.send(heartbeat, 3, { groupId, memberId, generationId })).errorCode, 0)
  } finally {
    await second.close()
  }
})

test('the offsets of a deleted topic are forgotten', async () => {
  if (!fixture.ours) return
  const client = await fixture.connect()
  const topic = await fixture.topic()
  const other = await fixture.topic()
  const groupId = await newGroup(client)
  const offsets = [[0, 1n]] as const
  await commit(client, 8, groupId, [
    { ...topic, offsets },
    { ...other, offsets },
  ])
  await client.send(deleteTopics, 5, { topics: [], topicNames: [topic.name], timeoutMs: 10_000 })
  for (;;) {
    const { topics } = await fetch(client, 8, groupId, null)
    if (topics.length === 1) {
      assert.equal(topics, [[other.name, '0:1:of us:0']])
      break
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
})

test.run()
