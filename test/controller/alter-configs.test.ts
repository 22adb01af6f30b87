/** What the controller makes of alterations: records, answers, and nothing of what is refused. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeRecord } from '../../src/metadata/records.ts'
import type { DeleteTopicsResponse } from '../../src/protocol/apis/20-delete-topics.ts'
import type { AlterConfigsResponse } from '../../src/protocol/apis/33-alter-configs.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import { type Edits, Op, Type, type Whole } from '../support/altering.ts'
import { TestNode } from '../support/metadata-node.ts'

const altering = suite('alter configs in the controller')

const started = async (config: Record<string, string> = {}) =>
  (await new TestNode(undefined, 1, { config }).start()).serve()

async function edit(node: TestNode, edits: readonly Edits[], validateOnly = false) {
  const resources = edits.map(([resourceType, resourceName, all]) => {
    const configs = all.map(([name, configOperation, value]) => ({ name, configOperation, value }))
    return { resourceType, resourceName, configs }
  })
  const { responses } = await node.handle<AlterConfigsResponse>(44, 1, { resources, validateOnly })
  return responses.map(({ errorCode }) => errorCode)
}

async function replace(node: TestNode, all: readonly Whole[], validateOnly = false) {
  const resources = all.map(([resourceType, resourceName, configs]) => {
    return { resourceType, resourceName, configs: configs.map(([name, value]) => ({ name, value })) }
  })
  const { responses } = await node.handle<AlterConfigsResponse>(33, 2, { resources, validateOnly })
  return responses.map(({ errorCode }) => errorCode)
}

const endOf = (node: TestNode) => node.metadata.image().offset + 1
const configs = (node: TestNode, key: string) => Object.fromEntries(node.metadata.image().configs.get(key) ?? [])

/** The records from `offset` on, as a name and what is in it. */
function written(node: TestNode, offset: number): unknown[] {
  const found: unknown[] = []
  for (const batch of batchesOf(node.log(offset))) {
    for (const record of recordsOf(batch)) {
      if (batch.isControl) continue
      const { name, data } = decodeRecord(record.value!)
      const { resourceType, ...rest } = data as { resourceType?: number }
      found.push([name, ...(resourceType === undefined ? [] : [resourceType]), ...Object.values(rest)])
    }
  }
  return found
}

altering('records follow the request when several resources change', async () => {
  const node = await started()
  await node.createTopic('a')
  const from = endOf(node)
  const codes = await edit(node, [
    [
      Type.topic,
      'a',
      [
        ['retention.ms', Op.set, '5'],
        ['min.insync.replicas', Op.set, '2'],
      ],
    ],
    [Type.topic, 'b', [['retention.ms', Op.set, '5']]],
    [Type.group, 'g', [['consumer.session.timeout.ms', Op.set, '50000']]],
    [Type.broker, '', [['min.insync.replicas', Op.set, '1']]],
  ])
  assert.equal(codes, [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0, 0])
  assert.equal(written(node, from), [
    ['ConfigRecord', 2, 'a', 'retention.ms', '5'],
    ['ConfigRecord', 2, 'a', 'min.insync.replicas', '2'],
    ['ConfigRecord', 32, 'g', 'consumer.session.timeout.ms', '50000'],
    ['ConfigRecord', 4, '', 'min.insync.replicas', '1'],
    ['ClearElrRecord', 'a'],
    ['ClearElrRecord', ''],
  ])
})

altering('nothing is written when nothing changes, except for brokers', async () => {
  const node = await started()
  await node.createTopic('a', { configs: [{ name: 'retention.ms', value: '5' }] })
  const from = endOf(node)
  assert.equal(
    await edit(node, [
      [
        Type.topic,
        'a',
        [
          ['retention.ms', Op.set, '5'],
          ['flush.ms', Op.delete, null],
        ],
      ],
    ]),
    [0],
  )
  assert.equal(await replace(node, [[Type.topic, 'a', [['retention.ms', '5']]]]), [0])
  assert.is(endOf(node), from)
  assert.equal(await edit(node, [[Type.broker, '1', [['log.roll.ms', Op.delete, null]]]]), [0])
  assert.equal(written(node, from), [['ConfigRecord', 4, '1', 'log.roll.ms', null]])
})

altering('nothing is written when a request is only checked', async () => {
  const node = await started()
  await node.createTopic('a')
  const from = endOf(node)
  const topic = [Type.topic, 'a', [['retention.ms', Op.set, '5']]] as const
  assert.equal(await edit(node, [topic, [Type.topic, 'a b', []]], true), [0, ErrorCode.INVALID_TOPIC_EXCEPTION])
  assert.equal(await replace(node, [[Type.topic, 'a', [['retention.ms', '5']]]], true), [0])
  assert.is(endOf(node), from)
})

altering('what a replacement leaves out is unset, in the same batch', async () => {
  const node = await started()
  const before = [
    { name: 'retention.ms', value: '5' },
    { name: 'flush.ms', value: '6' },
  ]
  await node.createTopic('a', { configs: before })
  const from = endOf(node)
  assert.equal(await replace(node, [[Type.topic, 'a', [['segment.ms', '7']]]]), [0])
  assert.equal(written(node, from), [
    ['ConfigRecord', 2, 'a', 'segment.ms', '7'],
    ['ConfigRecord', 2, 'a', 'retention.ms', null],
    ['ConfigRecord', 2, 'a', 'flush.ms', null],
  ])
  assert.equal(configs(node, 'topic:a'), { 'segment.ms': '7' })
  assert.is([...batchesOf(node.log(from))].length, 1)
})

altering('two operations in flight see each other', async () => {
  const node = await started()
  await node.createTopic('a')
  const append = (value: string) => edit(node, [[Type.topic, 'a', [['cleanup.policy', Op.append, value]]]])
  assert.equal(await Promise.all([append('compact'), append('compact')]), [[0], [0]])
  assert.equal(configs(node, 'topic:a'), { 'cleanup.policy': 'delete,compact' })
})

altering('what makes no sense is refused by itself', async () => {
  const node = await started()
  const good = ['log.roll.ms', Op.set, '5'] as const
  const codes = await edit(node, [
    [Type.broker, '', [good]],
    [Type.broker, '', [good]],
    [Type.broker, '7', [good]],
    [Type.broker, '-1', [good]],
    [Type.broker, 'x', [good]],
    [Type.logger, '1', [good]],
    [0, 'x', [good]],
    [-1, 'x', [good]],
    [Type.group, 'g', [['consumer.session.timeout.ms', 4, '50000']]],
    [Type.broker, '1', [['min.insync.replicas', Op.set, '1']]],
  ])
  assert.equal(codes, [
    0,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.BROKER_ID_NOT_REGISTERED,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.UNSUPPORTED_VERSION,
    ErrorCode.UNSUPPORTED_VERSION,
    ErrorCode.UNSUPPORTED_VERSION,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.INVALID_CONFIG,
  ])
})

altering('more records than one operation may have are refused resource by resource', async () => {
  const node = await started()
  const many = Array.from({ length: 600 }, (_, index): Edits => {
    const keys = ['consumer.session.timeout.ms', 'share.session.timeout.ms', 'streams.session.timeout.ms']
    const more = ['consumer.heartbeat.interval.ms', 'share.heartbeat.interval.ms', 'streams.heartbeat.interval.ms']
    const others = ['share.record.lock.duration.ms', 'streams.initial.rebalance.delay.ms']
    return [
      Type.group,
      `g${index}`,
      [
        ...keys.map(key => [key, Op.set, '50000'] as const),
        ...more.map(key => [key, Op.set, '6000'] as const),
        ...others.map(key => [key, Op.set, '20000'] as const),
        ...['consumer', 'share', 'streams'].map(kind => [`${kind}.assignment.interval.ms`, Op.set, '5'] as const),
        ['share.delivery.count.limit', Op.set, '3'],
        ['share.partition.max.record.locks', Op.set, '200'],
        ['share.isolation.level', Op.set, 'read_committed'],
        ['share.renew.acknowledge.enable', Op.set, 'false'],
        ['share.auto.offset.reset', Op.set, 'earliest'],
        ['streams.num.standby.replicas', Op.set, '1'],
      ],
    ]
  })
  const codes = await edit(node, many)
  const perGroup = many[0]![2].length
  const fits = Math.floor(10_000 / perGroup)
  assert.ok(fits < many.length)
  assert.equal(codes.slice(0, fits), codes.slice(0, fits).fill(0))
  assert.equal(codes.slice(fits), codes.slice(fits).fill(ErrorCode.POLICY_VIOLATION))
})

altering('configs come back when the node does, and go with their topic', async () => {
  const node = await started()
  await node.createTopic('a')
  await edit(node, [
    [Type.topic, 'a', [['retention.ms', Op.set, '5']]],
    [Type.metrics, 'm', [['interval.ms', Op.set, '1000']]],
  ])
  await node.metadata.snapshot()
  const again = await (await new TestNode(node.disk, 2).start()).serve()
  assert.equal(configs(again, 'topic:a'), { 'retention.ms': '5' })
  assert.equal(configs(again, 'client-metrics:m'), { 'interval.ms': '1000' })
  const topics = [{ name: 'a', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }]
  await again.handle<DeleteTopicsResponse>(20, 6, { topics, topicNames: [], timeoutMs: 1000 })
  assert.equal(configs(again, 'topic:a'), {})
})

altering.run()
