import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetCommitRecord } from '../../../src/coordinator/group/records.ts'
import type { GroupShard } from '../../../src/coordinator/group/shard.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { batchesOf } from '../../../src/records/batch.ts'
import {
  CHECK_MS,
  commit,
  everything,
  groupShardRig,
  heartbeat,
  imageWith,
  joinGroup,
  MINUTE_MS,
  offsetsOf,
  origin,
  RETENTION_MS,
  topicId,
} from '../../support/group-shard.ts'

const test = suite('group shard')

test("a log that Kafka wrote gives Kafka's groups and offsets", async () => {
  const rig = groupShardRig()
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
  const rig = await groupShardRig().start()
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
  const rig = await groupShardRig().start()
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
  const rig = await groupShardRig().start()
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
  const rig = await groupShardRig().start()
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
  const rig = await groupShardRig().start()
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
  const rig = await groupShardRig().start()
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
  const rig = await groupShardRig().start()
  await rig.write(joinGroup('g', () => {}))
  await rig.host.advance(CHECK_MS - MINUTE_MS)
  assert.equal(rig.shard().listGroups(['Empty'], []).length, 1, 'its session is over')
  await rig.host.advance(MINUTE_MS)
  assert.equal(rig.shard().groupIds(), [])
})

test('what does not fit into one part expires in the next, once the first is committed', async () => {
  const rig = await groupShardRig().start()
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

test('every group is looked at when there are more than one part holds', async () => {
  const rig = await groupShardRig().start()
  const commitTimestamp = rig.host.clock.wallMs() - RETENTION_MS
  const value = { offset: 1n, leaderEpoch: -1, metadata: '', commitTimestamp, topicId }
  const records = Array.from({ length: 10_010 }, (_, index) =>
    offsetCommitRecord(`group-${index}`, 't', 0, { ...value, expireTimestamp: -1 }),
  )
  await rig.write(() => ({ records, response: undefined }))
  assert.is(rig.shard().groupIds().length, 10_010)
  await rig.host.advance(CHECK_MS)
  assert.equal(rig.shard().groupIds(), [])
})

test('offsets that could not be written off are written off at the next try', async () => {
  const rig = await groupShardRig().start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  let refusals = 3
  rig.writer.plan = () => (refusals-- > 0 ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE)
  await rig.host.advance(RETENTION_MS + CHECK_MS)
  assert.is(refusals, -1)
  assert.equal(rig.shard().groupIds(), [])
})

test('the offsets of deleted topics go, and the group stays', async () => {
  const rig = await groupShardRig().start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  await rig.write(commit('g', 'u', [[0, 1n]]))
  await rig.write(shard => shard.onTopicsDeleted([{ name: 't', id: topicId }]))
  await rig.write(shard => shard.onTopicsDeleted([{ name: 'u', id: 'ccccccccccccccccccccccA' }]))
  assert.equal(offsetsOf(rig.shard(), 'g'), { 'u/0': ['1', -1, ''] })
  assert.equal(rig.shard().groupIds(), ['g'])
})

test('the offsets of a deleted topic go when their first tombstones are refused', async () => {
  const rig = await groupShardRig().start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  let refusals = 1
  rig.writer.plan = () => (refusals-- > 0 ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE)
  await rig.write(shard => shard.onTopicsDeleted([{ name: 't', id: topicId }]))
  assert.equal(offsetsOf(rig.shard(), 'g'), { 't/0': ['1', -1, ''] })
  await rig.host.advance(MINUTE_MS)
  assert.equal(offsetsOf(rig.shard(), 'g'), {})
})

test('the offsets of a topic go that was deleted while they were loaded', async () => {
  let image = imageWith('t')
  const rig = await groupShardRig({ image: () => image }).start()
  await rig.write(commit('g', 't', [[0, 1n]]))
  await rig.reload()
  assert.equal(offsetsOf(rig.shard(), 'g'), { 't/0': ['1', -1, ''] })
  rig.runtime.elected(0, rig.writer.lose(0))
  image = imageWith()
  await rig.host.settle()
  assert.equal(offsetsOf(rig.shard(), 'g'), {})
})

test.run()
