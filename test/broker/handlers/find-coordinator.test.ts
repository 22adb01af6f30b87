import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { metadata } from '../../../src/protocol/apis/03-metadata.ts'
import { findCoordinator } from '../../../src/protocol/apis/10-find-coordinator.ts'
import { listGroups } from '../../../src/protocol/apis/16-list-groups.ts'
import { describeConfigs } from '../../../src/protocol/apis/32-describe-configs.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { everyVersion, startTestBroker, type TestBroker } from '../../support/broker.ts'
import { findGroup } from '../../support/groups.ts'

const test = suite('FindCoordinator')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker({ config: { 'offsets.topic.num.partitions': 7 } })
})
test.after(() => fixture.close())

test('no group is listed and no topic made when nobody has asked for a coordinator', async () => {
  if (!fixture.ours) return
  const client = await fixture.connect()
  assert.equal(await client.send(listGroups, 5, { statesFilter: [], typesFilter: [] }), {
    throttleTimeMs: 0,
    errorCode: 0,
    groups: [],
  })
  const { topics } = await client.send(metadata, 12, { topics: null })
  assert.equal(topics, [])
})

test('the first to ask is answered with this broker, and the topic of groups is there', async () => {
  if (!fixture.ours) return
  const client = await fixture.connect()
  const asked = await Promise.all(
    ['a', 'b', 'c'].map(async () => {
      const each = await fixture.connect()
      return each.send(findCoordinator, 3, { key: 'a-group', keyType: 0, coordinatorKeys: [] })
    }),
  )
  for (const found of asked) {
    assert.equal(
      [found.errorCode, found.errorMessage, found.nodeId, found.host, found.port],
      [0, 'NONE', 1, '127.0.0.1', fixture.broker.port],
    )
  }
  const { topics } = await client.send(metadata, 12, { topics: [{ name: '__consumer_offsets' }] })
  assert.equal([topics[0]!.isInternal, topics[0]!.partitions.length, topics[0]!.errorCode], [true, 7, 0])
  const { results } = await client.send(describeConfigs, 4, {
    resources: [
      {
        resourceType: 2,
        resourceName: '__consumer_offsets',
        configurationKeys: ['cleanup.policy', 'compression.type', 'segment.bytes'],
      },
    ],
  })
  assert.equal(
    results[0]!.configs.map(each => [each.name, each.value]),
    [
      ['cleanup.policy', 'compact'],
      ['compression.type', 'producer'],
      ['segment.bytes', '104857600'],
    ],
  )
})

test('every version finds the coordinator of a group', async () => {
  const client = await fixture.connect()
  await findGroup(client, 'some')
  for (const version of everyVersion(findCoordinator)) {
    const several = version >= 4
    const answer = await client.send(findCoordinator, version, {
      key: several ? '' : 'some',
      keyType: 0,
      coordinatorKeys: several ? ['some', 'other', 'some', ''] : [],
    })
    if (several) {
      assert.equal(
        answer.coordinators.map(each => [each.key, each.errorCode, each.nodeId, each.port, each.errorMessage]),
        ['some', 'other', 'some', ''].map(key => [key, 0, 1, fixture.broker.port, '']),
      )
    } else assert.equal([answer.errorCode, answer.nodeId, answer.port], [0, 1, fixture.broker.port])
  }
})

test('coordinators that this broker does not have are refused with a reason', async () => {
  const client = await fixture.connect()
  for (const keyType of fixture.ours ? [1, 2, 3] : [3]) {
    for (const version of [3, 6]) {
      const several = version >= 4
      const answer = await client.send(findCoordinator, version, {
        key: several ? '' : 'some',
        keyType,
        coordinatorKeys: several ? ['some'] : [],
      })
      const found = several ? answer.coordinators[0]! : answer
      assert.equal([found.errorCode, found.nodeId, found.host, found.port], [ErrorCode.INVALID_REQUEST, -1, '', -1])
      assert.match(found.errorMessage ?? '', fixture.ours ? /coordinat/ : /./)
    }
  }
})

test('a coordinator is not available when its topic can not be created', async () => {
  if (!fixture.ours) return
  const lonely = await startTestBroker({ config: { 'offsets.topic.replication.factor': 3 } })
  try {
    const client = await lonely.connect()
    const answer = await client.send(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['a'], key: '' })
    assert.is(answer.coordinators[0]!.errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  } finally {
    await lonely.close()
  }
})

test.run()
