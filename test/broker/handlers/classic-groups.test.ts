/** JoinGroup, SyncGroup, Heartbeat and LeaveGroup in all versions, and what they refuse. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { joinGroup } from '../../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../../src/protocol/apis/12-heartbeat.ts'
import { leaveGroup } from '../../../src/protocol/apis/13-leave-group.ts'
import { syncGroup } from '../../../src/protocol/apis/14-sync-group.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { everyVersion, startTestBroker, type TestBroker } from '../../support/broker.ts'
import { findGroup, joinAlone, newGroup } from '../../support/groups.ts'
import type { WireClient } from '../../support/wire-client.ts'

const test = suite('classic groups')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

const metadata = new Uint8Array([0, 1, 2])

function join(client: WireClient, version: number, groupId: string, more: object = {}) {
  return client.send(joinGroup, version, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
    ...more,
  })
}

test('every version of the four APIs takes a member through its life', async () => {
  const client = await fixture.connect()
  for (const version of everyVersion(joinGroup)) {
    const groupId = await newGroup(client)
    let joined = await join(client, version, groupId)
    if (version >= 4) {
      assert.is(joined.errorCode, ErrorCode.MEMBER_ID_REQUIRED, `version ${version}`)
      assert.equal([joined.generationId, joined.protocolName, joined.members], [-1, version >= 7 ? null : '', []])
      assert.match(joined.memberId, /^wire-client-/)
      joined = await join(client, version, groupId, { memberId: joined.memberId })
    }
    const { memberId, generationId } = joined
    assert.equal(
      [joined.errorCode, generationId, joined.protocolName, joined.leader, joined.members.length],
      [0, 1, 'range', memberId, 1],
    )
    assert.equal([joined.members[0]!.memberId, joined.members[0]!.metadata], [memberId, metadata])
    if (version >= 7) assert.is(joined.protocolType, 'consumer')

    const sync = Math.min(version, syncGroup.maxVersion)
    const named = sync >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}
    const assignments = [{ memberId, assignment: new Uint8Array([7, version]) }]
    const synced = await client.send(syncGroup, sync, { groupId, generationId, memberId, assignments, ...named })
    assert.equal([synced.errorCode, synced.assignment], [0, new Uint8Array([7, version])])
    if (sync >= 5) assert.equal([synced.protocolType, synced.protocolName], ['consumer', 'range'])

    const beat = Math.min(version, heartbeat.maxVersion)
    assert.is((await client.send(heartbeat, beat, { groupId, generationId, memberId })).errorCode, 0)
    const stranger = await client.send(heartbeat, beat, { groupId, generationId, memberId: 'stranger' })
    assert.is(stranger.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
    const old = await client.send(heartbeat, beat, { groupId, generationId: 0, memberId })
    assert.is(old.errorCode, ErrorCode.ILLEGAL_GENERATION)

    const leave = Math.min(version, leaveGroup.maxVersion)
    const left = await client.send(
      leaveGroup,
      leave,
      leave >= 3
        ? { groupId, memberId: '', members: [{ memberId }, { memberId: 'stranger' }] }
        : { groupId, memberId, members: [] },
    )
    assert.is(left.errorCode, 0)
    if (leave >= 3)
      assert.equal(
        left.members.map(each => [each.memberId, each.errorCode]),
        [
          [memberId, 0],
          ['stranger', ErrorCode.UNKNOWN_MEMBER_ID],
        ],
      )
    const after = await client.send(heartbeat, beat, { groupId, generationId, memberId })
    assert.is(after.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  }
})

test('the oldest versions of leave answer the code of their one member', async () => {
  const client = await fixture.connect()
  const groupId = await newGroup(client)
  for (const version of [0, 1, 2]) {
    const { errorCode } = await client.send(leaveGroup, version, { groupId, memberId: 'stranger', members: [] })
    assert.is(errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  }
  const { errorCode, members } = await client.send(leaveGroup, 5, {
    groupId,
    memberId: '',
    members: [{ memberId: 'stranger', groupInstanceId: 'i' }],
  })
  assert.equal([errorCode, members[0]!.errorCode, members[0]!.groupInstanceId], [0, ErrorCode.UNKNOWN_MEMBER_ID, 'i'])
})

test('the empty group id is refused', async () => {
  const client = await fixture.connect()
  await findGroup(client, '')
  const code = ErrorCode.INVALID_GROUP_ID
  assert.is((await join(client, 5, '')).errorCode, code)
  const its = { groupId: '', generationId: 1, memberId: 'm' }
  assert.is((await client.send(syncGroup, 3, { ...its, assignments: [] })).errorCode, code)
  assert.is((await client.send(heartbeat, 3, its)).errorCode, code)
  const left = await client.send(leaveGroup, 3, { groupId: '', memberId: '', members: [{ memberId: 'm' }] })
  assert.equal([left.errorCode, left.members], [code, []])
})

test('groups with ids that are very long or unprintable work as others do', async () => {
  const client = await fixture.connect()
  for (const groupId of ['g'.repeat(32_000), '\u0000\u0007\n\u{1f600}']) {
    await findGroup(client, groupId)
    const { memberId, generationId } = await joinAlone(client, groupId)
    assert.is((await client.send(heartbeat, 3, { groupId, memberId, generationId })).errorCode, 0)
  }
})

test('a join is refused when its timeout, its type or its protocols do not fit', async () => {
  const client = await fixture.connect()
  const groupId = await newGroup(client)
  const memberId = 'mine'
  for (const sessionTimeoutMs of [5_999, 1_800_001, -1]) {
    const answer = await join(client, 5, groupId, { sessionTimeoutMs, memberId })
    assert.equal([answer.errorCode, answer.memberId], [ErrorCode.INVALID_SESSION_TIMEOUT, memberId])
  }
  assert.is((await join(client, 3, groupId, { protocols: [] })).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is((await join(client, 3, groupId, { protocolType: '' })).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is((await join(client, 5, groupId, { memberId: 'unknown' })).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  await joinAlone(client, groupId)
  const otherType = await join(client, 3, groupId, { protocolType: 'connect' })
  assert.is(otherType.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  const otherProtocol = await join(client, 3, groupId, { protocols: [{ name: 'sticky', metadata }] })
  assert.is(otherProtocol.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
})

test('a sync must name the protocol from version 5 on, and the right one', async () => {
  const client = await fixture.connect()
  const groupId = await newGroup(client)
  const { memberId, generationId } = await joinAlone(client, groupId)
  const sync = async (named: object) =>
    (await client.send(syncGroup, 5, { groupId, memberId, generationId, assignments: [], ...named })).errorCode
  const wrong = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  assert.is(await sync({}), wrong)
  assert.is(await sync({ protocolType: 'consumer' }), wrong)
  assert.is(await sync({ protocolType: 'consumer', protocolName: 'sticky' }), wrong)
  assert.is(await sync({ protocolType: 'consumer', protocolName: 'range' }), 0)
})

test('a second member makes the first one rejoin, and the leader assigns both', async () => {
  const one = await fixture.connect('one')
  const two = await fixture.connect('two')
  const groupId = await newGroup(one)
  const first = await joinAlone(one, groupId)
  const { memberId: secondId } = await join(two, 5, groupId)
  const secondJoins = join(two, 5, groupId, { memberId: secondId })
  let code = 0
  while (code === 0) code = (await one.send(heartbeat, 3, { groupId, ...first })).errorCode
  assert.is(code, ErrorCode.REBALANCE_IN_PROGRESS)
  const [a, b] = await Promise.all([join(one, 5, groupId, { memberId: first.memberId }), secondJoins])
  assert.equal([a.errorCode, b.errorCode, a.generationId, b.generationId], [0, 0, 2, 2])
  assert.equal([a.leader, b.leader, a.members.length, b.members.length], [first.memberId, first.memberId, 2, 0])
  const generationId = 2
  const waits = two.send(syncGroup, 3, { groupId, generationId, memberId: secondId, assignments: [] })
  const assignments = [
    { memberId: first.memberId, assignment: new Uint8Array([1]) },
    { memberId: secondId, assignment: new Uint8Array([2]) },
  ]
  const leads = await one.send(syncGroup, 3, { groupId, generationId, memberId: first.memberId, assignments })
  const follows = await waits
  assert.equal([leads.assignment, follows.assignment], [new Uint8Array([1]), new Uint8Array([2])])
})

test('who waits for the others is answered when the broker stops', async () => {
  if (!fixture.ours) return
  const other = await startTestBroker({ config: { 'group.initial.rebalance.delay.ms': 60_000 } })
  const client = await other.connect()
  const groupId = await newGroup(client)
  const { memberId } = await join(client, 5, groupId)
  const waits = join(client, 5, groupId, { memberId })
  // The join has arrived when a request of another connection that was sent after it is answered.
  await newGroup(await other.connect())
  const [answer] = await Promise.all([waits, other.broker.close()])
  assert.is(answer.errorCode, ErrorCode.NOT_COORDINATOR)
  await other.close()
})

test.run()
