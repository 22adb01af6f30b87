/** What each API says when its group's shard is not there, is being loaded, or can't write. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../../src/base/logger.ts'
import { brokerConfigOf } from '../../../src/config/broker-config.ts'
import type { GroupRecord } from '../../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../../src/coordinator/group/records.ts'
import { GroupService } from '../../../src/coordinator/group/service.ts'
import { GroupSettings } from '../../../src/coordinator/group/settings.ts'
import { GroupShard } from '../../../src/coordinator/group/shard.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { CoordinatorRig } from '../../support/coordinator.ts'

const test = suite('group service')

const origin = { apiVersion: 9, clientId: 'client', clientHost: '/127.0.0.1' }
const topicId = 'aaaaaaaaaaaaaaaaaaaaaA'
/** Their hashes are 97 and 98. */
const EVEN = 'b'
const ODD = 'a'

function world() {
  const settings = new GroupSettings(
    () => brokerConfigOf(new Map([['group.initial.rebalance.delay.ms', '0']])),
    () => undefined,
  )
  const regex = { check: () => undefined, matching: () => [] }
  const rig = new CoordinatorRig<GroupShard, GroupRecord>({
    partitions: 2,
    serde: groupRecordSerde,
    makeShard: (context, { clock, random }) =>
      new GroupShard({ clock, random, logger: silentLogger, settings, regex }, context),
  })
  const service = new GroupService({
    runtime: rig.runtime,
    settings,
    logger: silentLogger,
    partitionCount: () => 2,
    highWatermark: (topic, partition) => (topic === 't' ? 100 + partition : undefined),
  })
  return { rig, service }
}

type World = ReturnType<typeof world>

/** Lets the simulated world come to rest and takes what a callback was given; it must have been given one thing. */
async function answered<Response>(
  { rig }: World,
  ask: (answer: (response: Response) => void) => void,
): Promise<Response> {
  const answers: Response[] = []
  ask(response => answers.push(response))
  await rig.host.settle()
  assert.is(answers.length, 1)
  return answers[0] as Response
}

const joinRequest = (groupId: string) => ({
  groupId,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  memberId: 'm',
  groupInstanceId: null,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
  reason: null,
})

const commitRequest = (groupId: string, partitions: readonly number[] = [0]) => ({
  groupId,
  generationIdOrMemberEpoch: -1,
  memberId: '',
  groupInstanceId: null,
  retentionTimeMs: -1,
  topics: [
    {
      name: 't',
      topicId,
      partitions: partitions.map(partitionIndex => ({
        partitionIndex,
        committedOffset: 5n,
        committedLeaderEpoch: -1,
        committedMetadata: '',
      })),
    },
  ],
})

const consumerRequest = (groupId: string) => ({
  groupId,
  memberId: 'm',
  memberEpoch: 0,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: 1000,
  subscribedTopicNames: ['t'],
  subscribedTopicRegex: null,
  serverAssignor: null,
  topicPartitions: [],
})

/** The code that each API answers for `groupId`, where its answer has it. */
async function codes(its: World, groupId: string): Promise<Record<string, number>> {
  const { service, rig } = its
  const member = { groupId, generationId: 1, memberId: 'm', groupInstanceId: null }
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    await rig.host.settle()
    return promise
  }
  const join = await answered<{ errorCode: number }>(its, done => service.joinGroup(origin, joinRequest(groupId), done))
  const sync = await answered<{ errorCode: number }>(its, done =>
    service.syncGroup(origin, { ...member, protocolType: null, protocolName: null, assignments: [] }, done),
  )
  const heartbeat = await answered<{ errorCode: number }>(its, done => service.heartbeat(origin, member, done))
  const leave = await answered<{ errorCode: number; members: readonly { errorCode: number }[] }>(its, done =>
    service.leaveGroup(
      origin,
      { groupId, memberId: '', members: [{ memberId: 'm', groupInstanceId: null, reason: null }] },
      done,
    ),
  )
  const consumer = await answered<{ errorCode: number }>(its, done =>
    service.consumerGroupHeartbeat(origin, consumerRequest(groupId), done),
  )
  const commit = await answered<{ topics: readonly { partitions: readonly { errorCode: number }[] }[] }>(its, done =>
    service.commitOffsets(origin, commitRequest(groupId), done),
  )
  const fetchGroup = { groupId, memberId: null, memberEpoch: -1, topics: null }
  const fetch = await settled(service.fetchOffsets(fetchGroup, true))
  const remove = await settled(service.deleteOffsets({ groupId, topics: [] }))
  const [described] = await settled(service.describeGroups([groupId], 5))
  const [consumerDescribed] = await settled(service.consumerGroupDescribe([groupId]))
  const [deleted] = await settled(service.deleteGroups([groupId]))
  return {
    join: join.errorCode,
    sync: sync.errorCode,
    heartbeat: heartbeat.errorCode,
    leave: leave.errorCode,
    consumer: consumer.errorCode,
    commit: commit.topics[0]!.partitions[0]!.errorCode,
    fetch: fetch.errorCode ?? 0,
    remove: remove.errorCode,
    described: described!.errorCode,
    consumerDescribed: consumerDescribed!.errorCode,
    deleted: deleted!.errorCode,
  }
}

const every = (code: number) => ({
  join: code,
  sync: code,
  heartbeat: code,
  leave: code,
  consumer: code,
  commit: code,
  fetch: code,
  remove: code,
  described: code,
  consumerDescribed: code,
  deleted: code,
})

test('everything is not available before the start and after the end', async () => {
  const its = world()
  await its.rig.start()
  assert.equal(await codes(its, ODD), every(ErrorCode.COORDINATOR_NOT_AVAILABLE))
  assert.is((await its.service.listGroups([], [])).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  its.service.start()
  assert.is((await codes(its, ODD)).fetch, 0)
  its.service.close()
  assert.equal(await codes(its, ODD), every(ErrorCode.COORDINATOR_NOT_AVAILABLE))
})

test('a group whose partition is led elsewhere has its coordinator elsewhere', async () => {
  const its = world()
  its.service.start()
  its.rig.runtime.elected(0, 0)
  await its.rig.host.settle()
  assert.equal(await codes(its, ODD), every(ErrorCode.NOT_COORDINATOR))
  assert.is((await codes(its, EVEN)).fetch, 0)
})

test('while a group is being loaded clients are told to come again, and heartbeats that all is well', async () => {
  const its = world()
  const { service, rig } = its
  service.start()
  rig.writer.planLoad = () => ErrorCode.KAFKA_STORAGE_ERROR
  await rig.start()
  // A load that failed is tried again; that one has just begun.
  rig.runtime.resigned(1, 1)
  rig.runtime.elected(1, 2)
  const loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
  const given: number[] = []
  service.commitOffsets(origin, commitRequest(ODD), ({ topics }) => given.push(topics[0]!.partitions[0]!.errorCode))
  service.heartbeat(origin, { groupId: ODD, generationId: 1, memberId: 'm', groupInstanceId: null }, response =>
    given.push(response.errorCode),
  )
  service.joinGroup(origin, joinRequest(ODD), response => given.push(response.errorCode))
  assert.equal(given, [loading, ErrorCode.NONE, loading])
  assert.is((await service.listGroups([], [])).errorCode, loading)
})

test('a refused append reaches the client as a code that says what to do', async () => {
  const cases = [
    [ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR],
    [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR],
    [ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
  ] as const
  for (const [refusal, told] of cases) {
    const its = world()
    its.service.start()
    await its.rig.start()
    its.rig.writer.plan = () => refusal
    const commit = await answered<{ topics: readonly { partitions: readonly object[] }[] }>(its, done =>
      its.service.commitOffsets(origin, commitRequest(ODD, [0, 3]), done),
    )
    assert.equal(commit.topics[0]!.partitions, [
      { partitionIndex: 0, errorCode: told },
      { partitionIndex: 3, errorCode: told },
    ])
    const consumer = await answered<{ errorCode: number }>(its, done =>
      its.service.consumerGroupHeartbeat(origin, consumerRequest(ODD), done),
    )
    assert.is(consumer.errorCode, told)
  }
})

test('a commit that is not committed in time is answered, and only once', async () => {
  const its = world()
  const { service, rig } = its
  service.start()
  await rig.start()
  rig.writer.holdCommits = true
  const codes: number[] = []
  service.commitOffsets(origin, commitRequest(ODD), ({ topics }) => codes.push(topics[0]!.partitions[0]!.errorCode))
  await rig.host.settle()
  assert.equal(codes, [])
  await rig.host.advance(5_001)
  await rig.host.settle()
  assert.equal(codes, [ErrorCode.COORDINATOR_NOT_AVAILABLE])
  rig.writer.holdCommits = false
  rig.writer.resume()
  await rig.host.settle()
  assert.is(codes.length, 1)
})

test('groups of several shards are answered where they were asked for', async () => {
  const its = world()
  const { service, rig } = its
  service.start()
  await rig.start()
  for (const groupId of [EVEN, ODD])
    await answered<object>(its, done => service.commitOffsets(origin, commitRequest(groupId), done))
  const reads = service.describeGroups([ODD, 'nobody', EVEN, ODD], 6)
  await rig.host.settle()
  assert.equal(
    (await reads).map(group => [group.groupId, group.errorCode]),
    [
      [ODD, 0],
      ['nobody', ErrorCode.GROUP_ID_NOT_FOUND],
      [EVEN, 0],
      [ODD, 0],
    ],
  )
  const deletes = service.deleteGroups(['nobody', EVEN, ODD])
  await rig.host.settle()
  assert.equal(await deletes, [
    { groupId: 'nobody', errorCode: ErrorCode.GROUP_ID_NOT_FOUND },
    { groupId: EVEN, errorCode: 0 },
    { groupId: ODD, errorCode: 0 },
  ])
})

test('the lag of every group is the way from its offset to the high watermark', async () => {
  const its = world()
  const { service, rig } = its
  service.start()
  await rig.start()
  await answered<object>(its, done => service.commitOffsets(origin, commitRequest(ODD, [0, 1]), done))
  const [first] = commitRequest(EVEN).topics
  const elsewhere = { ...commitRequest(EVEN), topics: [{ ...first!, name: 'elsewhere' }] }
  await answered<object>(its, done => service.commitOffsets(origin, elsewhere, done))
  const lags = service.lags()
  await rig.host.settle()
  assert.equal(
    (await lags).sort((a, b) => (a.groupId < b.groupId ? -1 : 1)),
    [
      { groupId: ODD, topic: 't', partition: 0, committedOffset: 5n, highWatermark: 100, lag: 95 },
      { groupId: ODD, topic: 't', partition: 1, committedOffset: 5n, highWatermark: 101, lag: 96 },
      {
        groupId: EVEN,
        topic: 'elsewhere',
        partition: 0,
        committedOffset: 5n,
        highWatermark: undefined,
        lag: undefined,
      },
    ],
  )
})

test.run()
