/** What a shard hears of its life, and of the cluster's, reaches the groups of both kinds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GroupShard } from '../../../src/coordinator/group/shard.ts'
import { MetadataDelta } from '../../../src/metadata/delta.ts'
import type { JoinGroupResponseInput } from '../../../src/protocol/apis/11-join-group.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
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
  topicId,
} from '../../support/group-shard.ts'

const test = suite('life of a group shard')

function states(shard: GroupShard): string[] {
  return everything(shard).map(({ groupId, groupType, groupState }) => `${groupId}: ${groupType}, ${groupState}`)
}

test('members of both kinds have a session after a load, and no longer', async () => {
  const rig = await groupShardRig().start()
  let generationId = 0
  let memberId = ''
  await rig.write(
    joinGroup('classic', response => {
      memberId = response.memberId
      generationId = response.generationId ?? -1
    }),
  )
  const sync = {
    groupId: 'classic',
    generationId,
    memberId,
    groupInstanceId: null,
    protocolType: 'consumer',
    protocolName: 'range',
  }
  const assignments = [{ memberId, assignment: Uint8Array.of(0, 0) }]
  await rig.write(shard => shard.sync(origin, { ...sync, assignments }, () => {}))
  await rig.write(heartbeat('consumer'))
  await rig.reload()
  assert.equal(states(rig.shard()), ['classic: classic, Stable', 'consumer: consumer, Stable'])
  await rig.host.advance(29_000)
  assert.equal(states(rig.shard()), ['classic: classic, Stable', 'consumer: consumer, Stable'])
  await rig.host.advance(MINUTE_MS)
  assert.equal(states(rig.shard()), ['classic: classic, Empty', 'consumer: consumer, Empty'])
})

test('who waits in a classic group is told to look elsewhere when the shard goes', async () => {
  const rig = await groupShardRig().start()
  const codes: number[] = []
  const noted = ({ errorCode }: JoinGroupResponseInput) => codes.push(errorCode ?? 0)
  await rig.write(joinGroup('g', noted))
  await rig.write(joinGroup('g', noted))
  assert.equal(codes, [0])
  rig.runtime.close()
  await rig.host.settle()
  assert.equal(codes, [0, ErrorCode.NOT_COORDINATOR])
})

test('a consumer group looks at its topics again when one of them grows', async () => {
  let image = imageWith('t', 1)
  const rig = await groupShardRig({ image: () => image }).start()
  const { memberEpoch } = await rig.write(heartbeat('g'))
  assert.is((await rig.write(heartbeat('g', memberEpoch))).memberEpoch, memberEpoch)
  image = imageWith('t', 2)
  rig.runtime.onMetadata(MetadataDelta.to(image), image)
  await rig.host.advance(5_000)
  assert.ok((await rig.write(heartbeat('g', memberEpoch))).memberEpoch > memberEpoch)
})

test('a member of the classic protocol that is left alone has a session in the classic group', async () => {
  const rig = await groupShardRig().start()
  await rig.write(heartbeat('g'))
  let memberId = ''
  await rig.write(joinGroup('g', response => (memberId = response.memberId)))
  assert.ok(memberId)
  await rig.write(heartbeat('g', -1))
  assert.match(states(rig.shard())[0]!, /^g: classic, /)
  await rig.host.advance(2 * MINUTE_MS)
  assert.equal(states(rig.shard()), ['g: classic, Empty'])
})

test('the members of the classic protocol that are left alone join again', async () => {
  const rig = await groupShardRig().start()
  await rig.write(heartbeat('g'))
  const answers: JoinGroupResponseInput[] = []
  await rig.write(joinGroup('g', response => answers.push(response)))
  await rig.write(heartbeat('g', -1))
  const { memberId = '', generationId = -1 } = answers[0] ?? {}
  assert.equal(states(rig.shard()), ['g: classic, PreparingRebalance'])
  const request = { groupId: 'g', generationId: generationId + 1, memberId, groupInstanceId: null }
  const { errorCode } = await rig.write(shard => shard.heartbeat(origin, request))
  assert.is(errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
})

test('a group with a member stays, without an offset too', async () => {
  const rig = await groupShardRig().start()
  let { memberEpoch } = await rig.write(heartbeat('g'))
  for (let passedMs = 0; passedMs <= 2 * CHECK_MS; passedMs += 30_000) {
    await rig.host.advance(30_000)
    memberEpoch = (await rig.write(heartbeat('g', memberEpoch))).memberEpoch
  }
  assert.equal(rig.shard().groupIds(), ['g'])
})

test('topics that are deleted one after the other are both forgotten', async () => {
  const rig = await groupShardRig().start()
  for (const topic of ['t', 'u', 'v']) await rig.write(commit('g', topic, [[0, 1n]]))
  for (const name of ['t', 'u']) {
    rig.runtime.write(0, 'test', 5_000, shard => shard.onTopicsDeleted([{ name, id: topicId }])).catch(() => {})
  }
  await rig.host.settle()
  assert.equal(Object.keys(offsetsOf(rig.shard(), 'g')), ['v/0'])
})

test.run()
