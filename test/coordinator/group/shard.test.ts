import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../../src/base/logger.ts'
import { brokerConfigOf } from '../../../src/config/broker-config.ts'
import { encodeSubscription } from '../../../src/coordinator/group/classic/consumer-protocol.ts'
import type { GroupRecord } from '../../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../../src/coordinator/group/records.ts'
import { GroupSettings } from '../../../src/coordinator/group/settings.ts'
import { GroupShard } from '../../../src/coordinator/group/shard.ts'
import type { Outcome } from '../../../src/coordinator/shard.ts'
import { Refusal } from '../../../src/coordinator/shard.ts'
import type { MetadataImage, TopicImage } from '../../../src/metadata/image.ts'
import { emptyImage } from '../../../src/metadata/image.ts'
import type { JoinGroupRequest } from '../../../src/protocol/apis/11-join-group.ts'
import type { ConsumerGroupHeartbeatRequest } from '../../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { batchesOf } from '../../../src/records/batch.ts'
import { CoordinatorRig } from '../../support/coordinator.ts'

const test = suite('group shard')

type Rig = CoordinatorRig<GroupShard, GroupRecord>

const origin = { apiVersion: 10, clientId: 'client', clientHost: '/127.0.0.1' }
const topicId = 'aaaaaaaaaaaaaaaaaaaaaA'
const subscription = encodeSubscription(1, { topics: ['t'], userData: null, ownedPartitions: [] })
const MINUTE_MS = 60_000
const CHECK_MS = 10 * MINUTE_MS
const RETENTION_MS = 7 * 24 * 60 * MINUTE_MS

function imageWith(...names: string[]): MetadataImage {
  const topics = names.map((name): TopicImage => ({ name, id: topicId, partitions: [] }))
  return {
    ...emptyImage,
    topicsByName: new Map(topics.map(topic => [topic.name, topic])),
    topicsById: new Map(topics.map(topic => [topic.id, topic])),
  }
}

function rigOf(options: { seed?: number; image?: () => MetadataImage } = {}): Rig {
  const settings = new GroupSettings(
    () => brokerConfigOf(new Map([['group.initial.rebalance.delay.ms', '0']])),
    () => undefined,
  )
  return new CoordinatorRig<GroupShard, GroupRecord>({
    ...options,
    serde: groupRecordSerde,
    makeShard: (context, { clock, random }) =>
      new GroupShard(
        { clock, random, logger: silentLogger, settings, regex: { check: () => undefined, matching: () => [] } },
        context,
      ),
  })
}

function commit(groupId: string, topic: string, offsets: readonly (readonly [number, bigint])[]) {
  const partitions = offsets.map(([partitionIndex, committedOffset]) => ({
    partitionIndex,
    committedOffset,
    committedLeaderEpoch: -1,
    committedMetadata: '',
  }))
  return (shard: GroupShard) =>
    shard.commitOffsets(origin, {
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      retentionTimeMs: -1,
      topics: [{ name: topic, topicId, partitions }],
    })
}

function offsetsOf(shard: GroupShard, groupId: string): Record<string, readonly [string, number, string]> {
  const found: Record<string, readonly [string, number, string]> = {}
  for (const topic of shard.committedOffsets(groupId)) {
    for (const [partition, { offset, leaderEpoch, metadata }] of topic) {
      found[`${topic.topic}/${partition}`] = [String(offset), leaderEpoch, metadata]
    }
  }
  return found
}

function everything(shard: GroupShard) {
  return shard
    .listGroups([], [])
    .sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
    .map(group => ({ ...group, offsets: offsetsOf(shard, group.groupId) }))
}

function joinGroup(groupId: string, respond: (response: { errorCode?: number; memberId: string }) => void) {
  const request: JoinGroupRequest = {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    memberId: '',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription }],
    reason: null,
  }
  return (shard: GroupShard) => shard.join({ ...origin, apiVersion: 3 }, request, respond as never)
}

function heartbeat(
  groupId: string,
  memberEpoch = 0,
  memberId = 'member',
): (shard: GroupShard) => Outcome<GroupRecord, unknown> {
  const request: ConsumerGroupHeartbeatRequest = {
    groupId,
    memberId,
    memberEpoch,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: memberEpoch === 0 ? 30_000 : -1,
    subscribedTopicNames: memberEpoch === 0 ? ['t'] : null,
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: memberEpoch === 0 ? [] : null,
  }
  return shard => shard.consumerHeartbeat({ ...origin, apiVersion: 1 }, request)
}

test("a log that Kafka wrote gives Kafka's groups and offsets", async () => {
  const rig = rigOf()
  const segment = readFileSync(new URL('../../vectors/groups/offsets.log', import.meta.url))
  for (const batch of batchesOf(segment)) rig.writer.intrude(0, batch.bytes)
  await rig.start()
  const state = JSON.parse(readFileSync(new URL('../../vectors/groups/state.json', import.meta.url), 'utf8'))
  const found = everything(rig.shard()).map(({ groupId, groupType, groupState, protocolType, offsets }) => ({
    groupId,
    type: groupType,
    state: groupState,
    protocolType,
    offsets,
  }))
  assert.equal(found, state.groups)
})

test('groups are listed by state and type, whatever the case', async () => {
  const rig = await rigOf().start()
  await rig.write(commit('simple', 't', [[0, 1n]]))
  await rig.write(joinGroup('classic', () => {}))
  await rig.write(heartbeat('consumer'))
  const shard = rig.shard()
  const names = (states: string[], types: string[]) =>
    shard
      .listGroups(states, types)
      .map(({ groupId }) => groupId)
      .sort()
  assert.equal(names([], []), ['classic', 'consumer', 'simple'])
  assert.equal(names([' eMPTY '], []), ['simple'])
  assert.equal(names(['completingrebalance', 'Empty'], []), ['classic', 'simple'])
  assert.equal(names([], ['CLASSIC']), ['classic', 'simple'])
  assert.equal(names([], ['Consumer']), ['consumer'])
  assert.equal(names([], ['share', 'nonsense']), [])
  assert.equal(names(['Dead'], ['classic']), [])
  assert.equal(shard.listGroups(['Empty'], []), [
    { groupId: 'simple', protocolType: '', groupState: 'Empty', groupType: 'classic' },
  ])
})

test('a group of another kind, or none, is described as each version of each API has it', async () => {
  const rig = await rigOf().start()
  await rig.write(commit('simple', 't', [[0, 1n]]))
  await rig.write(heartbeat('consumer'))
  const shard = rig.shard()
  const classic = (apiVersion: number) =>
    shard
      .describeGroups(['simple', 'consumer', 'nobody'], apiVersion)
      .map(({ errorCode, errorMessage, groupState }) => [errorCode, errorMessage ?? null, groupState])
  assert.equal(classic(5), [
    [0, null, 'Empty'],
    [0, null, 'Dead'],
    [0, null, 'Dead'],
  ])
  assert.equal(classic(6), [
    [0, null, 'Empty'],
    [ErrorCode.GROUP_ID_NOT_FOUND, 'Group consumer is not a classic group.', 'Dead'],
    [ErrorCode.GROUP_ID_NOT_FOUND, 'Group nobody not found.', 'Dead'],
  ])
  assert.equal(
    shard
      .describeConsumerGroups(['simple', 'consumer', 'nobody'])
      .map(({ errorCode, errorMessage, groupState }) => [errorCode, errorMessage ?? null, groupState !== '']),
    [
      [ErrorCode.GROUP_ID_NOT_FOUND, 'Group simple is not a consumer group.', false],
      [0, null, true],
      [ErrorCode.GROUP_ID_NOT_FOUND, 'Group nobody not found.', false],
    ],
  )
})

test('requests of the classic protocol reach the group where it is at home', async () => {
  const rig = await rigOf().start()
  await rig.write(heartbeat('g'))
  let memberId = ''
  await rig.write(joinGroup('g', response => (memberId = response.memberId)))
  assert.equal(
    rig
      .shard()
      .listGroups([], [])
      .map(({ groupType }) => groupType),
    ['consumer'],
  )
  const member = { groupId: 'g', generationId: 2, memberId, groupInstanceId: null }
  const answers: number[] = []
  const sync = { ...member, protocolType: 'consumer', protocolName: 'range', assignments: [] }
  await rig.write(shard => shard.sync(origin, sync, ({ errorCode }) => answers.push(errorCode ?? 0)))
  answers.push((await rig.write(shard => shard.heartbeat(origin, member))).errorCode)
  const leave = { groupId: 'g', memberId: '', members: [{ memberId, groupInstanceId: null, reason: null }] }
  answers.push(
    (await rig.write(shard => shard.leave({ ...origin, apiVersion: 5 }, leave))).members?.[0]?.errorCode ?? -1,
  )
  answers.push((await rig.write(shard => shard.heartbeat(origin, member))).errorCode)
  assert.equal(answers, [0, 0, 0, ErrorCode.UNKNOWN_MEMBER_ID])
})

test('a classic member that joins an empty consumer group makes a classic group of it', async () => {
  const rig = await rigOf().start()
  await rig.write(heartbeat('g'))
  await rig.write(heartbeat('g', -1))
  assert.equal(rig.shard().listGroups([], [])[0]!.groupState, 'Empty')
  assert.equal(rig.shard().listGroups([], [])[0]!.groupType, 'consumer')
  const answers: number[] = []
  await rig.write(joinGroup('g', ({ errorCode }) => answers.push(errorCode ?? 0)))
  assert.equal(answers, [0])
  assert.equal(rig.shard().listGroups([], [])[0]!.groupType, 'classic')
})

test('a group is deleted with its offsets when it is empty, and each id is answered', async () => {
  const rig = await rigOf().start()
  await rig.write(commit('gone', 't', [[0, 1n]]))
  await rig.write(joinGroup('alive', () => {}))
  await rig.write(heartbeat('modern'))
  const answers = await rig.write(shard => shard.deleteGroups(['gone', 'alive', 'nobody', 'modern', 'gone']))
  assert.equal(answers, [
    { groupId: 'gone', errorCode: 0 },
    { groupId: 'alive', errorCode: ErrorCode.NON_EMPTY_GROUP },
    { groupId: 'nobody', errorCode: ErrorCode.GROUP_ID_NOT_FOUND },
    { groupId: 'modern', errorCode: ErrorCode.NON_EMPTY_GROUP },
    { groupId: 'gone', errorCode: 0 },
  ])
  const names = (shard: GroupShard) => shard.groupIds().sort()
  assert.equal(names(rig.shard()), ['alive', 'modern'])
  const live = everything(rig.shard())
  assert.equal(offsetsOf(rig.shard(), 'gone'), {})
  await rig.reload()
  assert.equal(
    everything(rig.shard()).map(({ groupId }) => groupId),
    live.map(({ groupId }) => groupId),
  )
})

test('a group without members goes at the check after the last of its offsets has expired', async () => {
  const rig = await rigOf().start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  await rig.host.advance(RETENTION_MS - MINUTE_MS)
  assert.equal(rig.shard().groupIds(), ['g'])
  await rig.host.advance(CHECK_MS)
  assert.equal(rig.shard().groupIds(), [])
  assert.equal(
    rig.writer
      .records(0)
      .slice(-2)
      .map(({ value }) => value),
    [null, null],
  )
  await rig.reload()
  assert.equal(rig.shard().groupIds(), [])
})

test('a group whose last member is gone goes at the next check when it has no offsets', async () => {
  const rig = await rigOf().start()
  await rig.write(joinGroup('g', () => {}))
  await rig.host.advance(CHECK_MS - MINUTE_MS)
  assert.equal(rig.shard().listGroups(['Empty'], []).length, 1, 'its session is over')
  await rig.host.advance(MINUTE_MS)
  assert.equal(rig.shard().groupIds(), [])
})

test('what does not fit into one part expires in the next, once the first is committed', async () => {
  const rig = await rigOf().start()
  const partitions = Array.from({ length: 3_000 }, (_, partition) => [partition, 1n] as const)
  for (const groupId of ['a', 'b', 'c']) await rig.write(commit(groupId, 't', partitions))
  let ended = rig.writer.records(0).length
  await rig.host.advance(RETENTION_MS - CHECK_MS)
  assert.is(rig.writer.records(0).length, ended)
  rig.writer.holdCommits = true
  await rig.host.advance(CHECK_MS + 1_000)
  assert.is(rig.writer.records(0).length - ended, 2 * 3_001, 'two groups, and no third before they are committed')
  rig.writer.holdCommits = false
  rig.writer.resume()
  await rig.host.advance(MINUTE_MS)
  assert.is(rig.writer.records(0).length - ended, 3 * 3_001)
  ended = rig.writer.records(0).length
  await rig.write(commit('d', 't', [[0, 1n]]))
  await rig.host.advance(RETENTION_MS + CHECK_MS)
  assert.is(rig.writer.records(0).length - ended, 3, 'the check goes on')
})

test('offsets that could not be written off are written off at the next try', async () => {
  const rig = await rigOf().start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  let refusals = 3
  rig.writer.plan = () => (refusals-- > 0 ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE)
  await rig.host.advance(RETENTION_MS + CHECK_MS)
  assert.is(refusals, -1)
  assert.equal(rig.shard().groupIds(), [])
})

test('the offsets of deleted topics go, and the group stays', async () => {
  const rig = await rigOf().start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  await rig.write(commit('g', 'u', [[0, 1n]]))
  await rig.write(shard => shard.onTopicsDeleted([{ name: 't', id: topicId }]))
  await rig.write(shard => shard.onTopicsDeleted([{ name: 'u', id: 'ccccccccccccccccccccccA' }]))
  assert.equal(offsetsOf(rig.shard(), 'g'), { 'u/0': ['1', -1, ''] })
  assert.equal(rig.shard().groupIds(), ['g'])
})

test('the offsets of a topic go that was deleted while they were loaded', async () => {
  let image = imageWith('t')
  const rig = await rigOf({ image: () => image }).start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  await rig.reload()
  assert.equal(offsetsOf(rig.shard(), 'g'), { 't/0': ['1', -1, ''] })
  rig.runtime.elected(0, rig.writer.lose(0))
  image = imageWith()
  await rig.host.settle()
  assert.equal(offsetsOf(rig.shard(), 'g'), {})
})

const name = fc.constantFrom('g', 'h')
const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('commit' as const), group: name, topic: name, count: fc.nat(2) }),
  },
  fc.record({ do: fc.constant('delete offsets' as const), group: name, topic: name }),
  fc.record({ do: fc.constant('delete group' as const), group: name }),
  fc.record({ do: fc.constant('delete topic' as const), topic: name }),
  fc.record({ do: fc.constant('join' as const), group: name }),
  fc.record({ do: fc.constant('heartbeat' as const), group: name }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1_000, CHECK_MS, RETENTION_MS) }),
  fc.record({ do: fc.constant('refuse' as const), appends: fc.nat(2) }),
  fc.record({ do: fc.constant('settle' as const) }),
  fc.record({ do: fc.constant('reload' as const) }),
)

test('a shard has after any history what its log gives, and no acknowledged offset goes back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(command, { maxLength: 40, size: 'max' }), async (seed, commands) => {
      const rig = await rigOf({ seed }).start()
      let refusals = 0
      rig.writer.plan = () => (refusals-- > 0 ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE)
      let next = 0n
      /** The newest offset that was acknowledged; deletions forget it when they are asked for. */
      const acknowledged = new Map<string, bigint>()
      const forget = (matches: (key: string) => boolean) => {
        for (const key of acknowledged.keys()) if (matches(key)) acknowledged.delete(key)
        forgotten = next
      }
      let forgotten = -1n
      const write = (operation: (shard: GroupShard) => Outcome<GroupRecord, unknown>, done: () => void = () => {}) =>
        rig.runtime.write(0, 'test', 5_000, operation).then(done, (error: unknown) => {
          if (!(error instanceof Refusal)) throw error
        })
      const running: Promise<void>[] = []
      for (const each of commands) {
        switch (each.do) {
          case 'commit': {
            const offset = next++
            const partitions = Array.from({ length: each.count + 1 }, (_, partition) => [partition, offset] as const)
            const done = () => {
              if (offset < forgotten) return
              for (const [partition] of partitions) acknowledged.set(`${each.group}/${each.topic}/${partition}`, offset)
            }
            running.push(write(commit(each.group, each.topic, partitions), done))
            break
          }
          case 'delete offsets':
            forget(key => key.startsWith(`${each.group}/`))
            running.push(
              write(shard =>
                shard.deleteOffsets({
                  groupId: each.group,
                  topics: [{ name: each.topic, partitions: [{ partitionIndex: 0 }] }],
                }),
              ),
            )
            break
          case 'delete group':
            forget(key => key.startsWith(`${each.group}/`))
            running.push(write(shard => shard.deleteGroups([each.group])))
            break
          case 'delete topic':
            forget(key => key.split('/')[1] === each.topic)
            running.push(write(shard => shard.onTopicsDeleted([{ name: each.topic, id: topicId }])))
            break
          case 'join':
            running.push(write(joinGroup(each.group, () => {})))
            break
          case 'heartbeat':
            running.push(write(heartbeat(each.group)))
            break
          case 'pass':
            if (each.ms === RETENTION_MS) forget(() => true)
            await rig.host.advance(each.ms)
            break
          case 'refuse':
            refusals = each.appends
            break
          case 'settle':
            await rig.host.settle()
            break
          case 'reload':
            await rig.reload()
        }
        await rig.host.settle()
        for (const [key, offset] of acknowledged) {
          const [groupId = '', place = ''] = [key.slice(0, 1), key.slice(2)]
          const found = offsetsOf(rig.shard(), groupId)[place]
          assert.ok(found !== undefined && BigInt(found[0]) >= offset, `${key} was acknowledged at ${offset}`)
        }
      }
      refusals = 0
      await rig.host.advance(MINUTE_MS)
      await Promise.all(running)
      const live = offsetsByGroup(rig.shard())
      await rig.reload()
      assert.equal(offsetsByGroup(rig.shard()), live)
    }),
    { numRuns: 60 },
  )
})

/** What must be the same after a load; how far a rebalance has come is not. */
function offsetsByGroup(shard: GroupShard) {
  return everything(shard).map(({ groupId, groupType, offsets }) => ({ groupId, groupType, offsets }))
}

test.run()
