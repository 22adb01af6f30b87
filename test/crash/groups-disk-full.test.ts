/**
 * A disk that fills up under groups: members and commits are refused in a way that they try
 * again, and find what they had.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/apis/09-offset-fetch.ts'
import { joinGroup } from '../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { syncGroup } from '../../src/protocol/apis/14-sync-group.ts'
import { deleteGroups } from '../../src/protocol/apis/42-delete-groups.ts'
import { consumerGroupHeartbeat } from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { eventually, quickGroups } from '../clients/target.ts'
import { startBrokerProcess } from '../support/broker-process.ts'
import { findGroup, joinAlone, joinConsumerGroup } from '../support/groups.ts'
import { createTopic } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { filled, smallDisk } from '../support/small-disk.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const test = suite('disk full with groups')

const groupId = 'group'
const simple = 'simple'

/** Who is told one of these looks for the coordinator and asks again. */
const comeAgain: readonly number[] = [ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR]
const isRefused = (code: number | undefined, what: string) =>
  assert.ok(code !== undefined && comeAgain.includes(code), `${what}: ${code}`)

const commit = async (client: WireClient, committedOffset: bigint, member: object = {}): Promise<number> => {
  // Longer than what is left of the file's last page.
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: 'm'.repeat(4096) }]
  const request = { groupId: simple, memberId: '', topics: [{ name: 'read', partitions }], ...member }
  return (await client.send(offsetCommit, 8, request)).topics[0]?.partitions[0]?.errorCode ?? -1
}

const committed = async (client: WireClient, id: string): Promise<bigint | undefined> => {
  const groups = [{ groupId: id, topics: [{ name: 'read', partitionIndexes: [0] }] }]
  const ask = () => client.send(offsetFetch, 8, { groupId: '', topics: [], groups, requireStable: true })
  const answer = await eventually(ask, response => response.groups.every(({ errorCode }) => errorCode === 0))
  return answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset
}

test.before(() => requires('mount'))

test('groups are refused on a full disk and go on as they were when there is room', async () => {
  const { path: disk } = smallDisk(48)
  const start = () => startBrokerProcess(join(disk, 'data'), { settings: quickGroups })
  const broker = await start()
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'read')
  for (const id of [groupId, simple, 'consumers', 'newcomers']) await findGroup(client, id)
  const member = await joinAlone(client, groupId, ['read'])
  const consumer = await joinConsumerGroup(client, 'consumers', ['read'])
  const asMember = { groupId, memberId: member.memberId, generationIdOrMemberEpoch: member.generationId }
  const beats = async (connection: WireClient) => {
    const { errorCode } = await connection.send(heartbeat, 3, { groupId, ...member })
    const { memberId, memberEpoch } = consumer
    const answer = await connection.send(consumerGroupHeartbeat, 1, { groupId: 'consumers', memberId, memberEpoch })
    return [errorCode, answer.errorCode]
  }
  assert.is(await commit(client, 1n), 0)
  assert.is(await commit(client, 10n, asMember), 0)

  const filler = filled(disk)
  // The last page of the file may still have room for some.
  await eventually(
    () => commit(client, 2n),
    code => code !== 0,
  )
  isRefused(await commit(client, 2n), 'a commit')
  isRefused(await commit(client, 11n, asMember), `a member's commit`)
  assert.equal(await beats(client), [0, 0])
  const joining = {
    groupId: 'newcomers',
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: new Uint8Array(8000) }],
  }
  const again = await client.send(joinGroup, 5, { ...joining, groupId, memberId: member.memberId })
  assert.is(again.errorCode, 0)
  const { generationId, memberId } = again
  const assignments = [{ memberId, assignment: new Uint8Array(8000) }]
  isRefused((await client.send(syncGroup, 3, { groupId, generationId, memberId, assignments })).errorCode, 'a sync')
  const many = Array.from({ length: 200 }, (_, index) => `topic-of-no-concern-${index}`)
  const asConsumer = { groupId: 'new consumers', memberId: 'new', memberEpoch: 0, rebalanceTimeoutMs: 30_000 }
  const joins = { ...asConsumer, subscribedTopicNames: many, topicPartitions: [] }
  await findGroup(client, joins.groupId)
  isRefused((await client.send(consumerGroupHeartbeat, 1, joins)).errorCode, 'a consumer')
  assert.is(await committed(client, simple), 1n)

  rmSync(filler)
  await eventually(
    () => commit(client, 3n),
    code => code === 0,
  )
  assert.is((await client.send(consumerGroupHeartbeat, 1, joins)).errorCode, 0)
  const rejoined = await client.send(joinGroup, 5, { ...joining, groupId, memberId })
  assert.is(rejoined.errorCode, 0)
  const next = { groupId, generationId: rejoined.generationId, memberId }
  assert.is((await client.send(syncGroup, 3, { ...next, assignments })).errorCode, 0)
  assert.is((await client.send(heartbeat, 3, next)).errorCode, 0)
  assert.is(await commit(client, 12n, { ...asMember, generationIdOrMemberEpoch: next.generationId }), 0)
  const newcomer = await joinAlone(client, 'newcomers')
  assert.is(newcomer.generationId, 1)
  const deleted = await client.send(deleteGroups, 2, { groupsNames: [simple] })
  assert.is(deleted.results[0]?.errorCode, 0)
  await client.close()
  assert.is((await broker.kill()).signal, 'SIGKILL')

  const started = await start()
  const after = await WireClient.connect(started.port)
  for (const id of [groupId, simple]) await findGroup(after, id)
  assert.equal([await committed(after, groupId), await committed(after, simple)], [12n, -1n])
  assert.is((await after.send(heartbeat, 3, next)).errorCode, 0)
  await after.close()
  assert.is((await started.stop()).code, 0)
})

test.run()
