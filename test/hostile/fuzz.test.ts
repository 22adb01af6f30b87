/**
 * Valid requests of every API and version with bits flipped, bytes put in, taken out and overwritten, sent to a running
 * broker beside a client that does nothing wrong. Each is answered or ends its connection; nobody else notices.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Prng } from '../../src/base/prng.ts'
import { handlers } from '../../src/broker/handlers/index.ts'
import type { Api } from '../../src/protocol/api.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { findApi } from '../../src/protocol/registry.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { batch } from '../support/broker.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { anonymousBytes, eachOf, outcomeOf, UndisturbedClient } from '../support/disturbance.ts'
import { createTopic } from '../support/records-client.ts'
import { versionsOf } from '../support/schemas.ts'
import { framed } from '../support/sockets.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 300_000

const SEED = 20_260_101
const FRAMES = 12_000
const AT_ONCE = 16
const MOST_GROWTH_BYTES = 384 << 20
/** A request whose time limit was hit by a flip may wait for as long as it says; it is left alone then. */
const PATIENCE_MS = 500
const ZERO = 'AAAAAAAAAAAAAAAAAAAAAA'

const test = suite('requests with flipped bits')
let broker: BrokerProcess

test.before(async () => {
  broker = await startBrokerProcess(temporaryFolder('fuzz'))
})
test.after(async () => {
  assert.is((await broker.stop()).code, 0)
})

/** What a client would really ask, by API key: several requests, of which each version takes those that fit. */
function requestsFor(topic: string, id: string): ReadonlyMap<number, readonly object[]> {
  const records = (index: number) => batch([`value ${index}`, 'another', 'x'.repeat(50 * index)])
  const producing = (names: object, acks: number, size: number) => ({
    acks,
    timeoutMs: 100,
    topicData: [{ ...names, partitionData: [0, 1].map(index => ({ index, records: records(size + index) })) }],
  })
  const fetching = (names: object) => ({
    maxWaitMs: 1,
    minBytes: 0,
    maxBytes: 1 << 20,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ ...names, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }] }],
    forgottenTopicsData: [],
  })
  const creating = {
    topics: [
      {
        name: 'created',
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [1] }],
        configs: [{ name: 'retention.ms', value: '1000' }],
      },
    ],
    timeoutMs: 1000,
  }
  const listing = (timestamp: bigint) => ({
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }],
    timeoutMs: 100,
  })
  const altering = (config: object) => ({
    resources: [{ resourceType: 2, resourceName: topic, configs: [config] }],
    validateOnly: true,
  })
  return new Map<number, readonly object[]>([
    [
      0,
      [0, 1, -1].flatMap(acks =>
        [1, 150].flatMap(size => [{ name: topic }, { topicId: id }].map(names => producing(names, acks, size))),
      ),
    ],
    [1, [fetching({ topic }), fetching({ topicId: id })]],
    [2, [-1n, -2n, -3n, 1_700_000_000_000n].map(listing)],
    [3, [{ topics: [{ name: topic }] }, { topics: null }, { topics: [{ name: null, topicId: id }] }]],
    ...requestsOfGroups(topic, id),
    [18, [{ clientSoftwareName: 'fuzz', clientSoftwareVersion: '1.0' }, {}]],
    [19, [creating]],
    [
      20,
      [
        { topicNames: ['gone'], timeoutMs: 100 },
        { topics: [{ name: 'gone' }], timeoutMs: 100 },
      ],
    ],
    [21, [{ topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset: 0 }] }], timeoutMs: 100 }]],
    [22, [{ transactionalId: null, transactionTimeoutMs: 1000 }]],
    [23, [{ replicaId: -1, topics: [{ topic, partitions: [{ partition: 0, leaderEpoch: 0 }] }] }]],
    [32, [{ resources: [{ resourceType: 2, resourceName: topic, configurationKeys: null }] }]],
    [33, [altering({ name: 'retention.ms', value: '1000' })]],
    [34, [{ dirs: [{ path: '/nowhere', topics: [{ name: topic, partitions: [0] }] }] }, { dirs: [] }]],
    [35, [{ topics: null }, { topics: [{ topic, partitions: [0, 1] }] }]],
    [
      37,
      [{ topics: [{ name: topic, count: 3, assignments: [{ brokerIds: [1] }] }], timeoutMs: 100, validateOnly: true }],
    ],
    [44, [0, 1].map(configOperation => altering({ name: 'retention.ms', configOperation, value: '1000' }))],
    [
      45,
      [null, [1], []].map(replicas => ({ topics: [{ name: topic, partitions: [{ partitionIndex: 0, replicas }] }] })),
    ],
    [46, [{}, { topics: [{ name: topic, partitionIndexes: [0, 1] }] }]],
    [60, [{}]],
    [74, [{}, { resourceTypes: [2, 4] }]],
    [75, [{ topics: [{ name: topic }], responsePartitionLimit: 100, cursor: null }]],
  ])
}

function requestsOfGroups(topic: string, id: string): [number, readonly object[]][] {
  const groupId = 'fuzzed'
  const member = { groupId, memberId: '' }
  const partition = { partitionIndex: 0, committedOffset: 1n, committedMetadata: 'm' }
  const committing = (named: object, retention: object) => ({
    ...member,
    topics: [{ ...named, partitions: [partition] }],
    ...retention,
  })
  const read = [{ name: topic, partitionIndexes: [0] }]
  const readById = [{ topicId: id, partitionIndexes: [0] }]
  const protocols = [{ name: 'range', metadata: new Uint8Array(8) }]
  const joining = { ...member, sessionTimeoutMs: 6000, rebalanceTimeoutMs: 1000, protocolType: 'consumer', protocols }
  const synced = [{ memberId: 'one', assignment: new Uint8Array(8) }]
  const heartbeat = { ...member, memberId: 'one', memberEpoch: 0, rebalanceTimeoutMs: 1000, topicPartitions: [] }
  return [
    [
      8,
      [{ name: topic }, { topicId: id }].flatMap(named => [
        committing(named, {}),
        committing(named, { retentionTimeMs: 1 }),
      ]),
    ],
    [
      9,
      [
        { groupId, topics: read },
        { groupId, topics: null },
        { groups: [{ groupId, topics: read }] },
        { groups: [{ groupId, topics: readById }], requireStable: true },
      ],
    ],
    [10, [{ key: groupId }, { key: groupId, keyType: 0 }, { keyType: 0, coordinatorKeys: [groupId, ''] }]],
    [
      11,
      [
        joining,
        { ...joining, groupInstanceId: 'instance' },
        { groupId, memberId: '', sessionTimeoutMs: 6000, protocolType: 'consumer', protocols },
      ],
    ],
    [12, [{ ...member, generationId: 1 }]],
    [13, [member, { groupId, members: [{ memberId: 'one', groupInstanceId: null }] }]],
    [14, [{ ...member, generationId: 1, assignments: synced }]],
    [15, [{ groups: [groupId, ''] }]],
    [16, [{}, { statesFilter: ['Stable'] }, { statesFilter: [], typesFilter: ['consumer'] }]],
    [42, [{ groupsNames: [groupId] }]],
    [47, [{ groupId, topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }] }]],
    [
      68,
      [
        { ...heartbeat, subscribedTopicNames: [topic] },
        { ...heartbeat, subscribedTopicRegex: 'f.*' },
      ],
    ],
    [69, [{ groupIds: [groupId] }]],
  ]
}

function validFrames(topic: string, id: string): Uint8Array[] {
  const requests = requestsFor(topic, id)
  return handlers.flatMap(({ apiKey }) => {
    const api = findApi(apiKey) as Api
    const found = versionsOf(api.request).flatMap(version =>
      (requests.get(apiKey) ?? []).flatMap(request => {
        const named = { correlationId: 9, clientId: 'fuzz' }
        try {
          return [joinParts(encodeRequest(new Writer(), api, version, named, request as never))]
        } catch {
          // This version has no room for what the request says.
          return []
        }
      }),
    )
    assert.ok(found.length > 0, `no request for ${api.name}`)
    return found
  })
}

/** One to eight changes, each to one place. The API key and the version stay, or most would end there. */
function disturbed(frame: Uint8Array, random: Prng): Uint8Array {
  let bytes = Array.from(frame)
  const keeps = random.u32() % 16 === 0 ? 0 : 4
  for (let changes = 1 + (random.u32() % 8); changes > 0; changes--) {
    const at = keeps + (random.u32() % Math.max(1, bytes.length - keeps))
    switch (random.u32() % 6) {
      case 0:
        bytes.splice(at, 0, random.u32() & 255)
        break
      case 1:
        bytes.splice(at, 1 + (random.u32() % 4))
        break
      case 2:
        bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.u32() % 6] as number
        break
      default:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (random.u32() % 8))
    }
    if (bytes.length === 0) bytes = [0]
  }
  return Uint8Array.from(bytes)
}

function* disturbedFrames(frames: readonly Uint8Array[]): Iterable<Uint8Array> {
  const random = new Prng(SEED)
  for (let count = 0; count < FRAMES; count++) {
    yield disturbed(frames[random.u32() % frames.length] as Uint8Array, random)
  }
}

test('a frame with flipped bits is answered or ends its connection, and no other client notices', async () => {
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'fuzzed', 2)
  const { topics } = await client.send(metadata, 12, { topics: [{ name: 'fuzzed' }], allowAutoTopicCreation: false })
  const frames = validFrames('fuzzed', topics[0]?.topicId ?? ZERO)
  const undisturbed = await UndisturbedClient.start(broker.port, 'undisturbed')
  const before = anonymousBytes(broker.pid)
  let most = before
  let [answered, closed, waiting] = [0, 0, 0]
  await eachOf(disturbedFrames(frames), AT_ONCE, async frame => {
    const outcome = await outcomeOf(broker.port, framed(frame), PATIENCE_MS)
    if (outcome === undefined) waiting += 1
    else if (outcome.closed) closed += 1
    else answered += 1
    most = Math.max(most, anonymousBytes(broker.pid))
  })
  assert.ok(answered > FRAMES / 10 && closed > FRAMES / 10, `${answered} answered, ${closed} closed`)
  assert.ok(waiting < FRAMES / 50, `${waiting} neither answered nor closed`)
  assert.ok((await undisturbed.stop()) > 0)
  assert.ok(most - before < MOST_GROWTH_BYTES, `${Math.round((most - before) / 1024)} KiB more memory`)
  const errors = broker.running.stderr().match(/"level":50.*/g) ?? []
  assert.equal(errors.slice(0, 3), [], 'a request failed inside the broker')
  await client.close()
})

test.run()
