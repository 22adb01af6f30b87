import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { crc32c } from '../../src/base/crc32c.ts'
import { LogPartitionWriter } from '../../src/broker/partition-writer.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { logConfigFor } from '../../src/config/topic-config.ts'
import { Refusal } from '../../src/coordinator/shard.ts'
import { systemHost } from '../../src/host/system.ts'
import { openEngineDirectory } from '../../src/log/engine-directory.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { emptyImage } from '../../src/metadata/image.ts'
import { compress } from '../../src/native/pure.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { Partition } from '../../src/partition/partition.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { BATCH_HEADER_BYTES, BatchView, batchesOf, Field } from '../../src/records/batch.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import type { WriterPlace } from '../contract/partition-writer.ts'
import { batchAt, partitionWriterContract } from '../contract/partition-writer.ts'

const test = suite('partition writer over the engine')
const TOPIC = '__consumer_offsets'
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

interface Place extends WriterPlace {
  readonly partitions: Partition[]
}

const open = async (more: { loadBytes?: number } = {}): Promise<Place> => {
  const host = systemHost()
  const runtime = NativeRuntime.open({ host })
  runtime.ref()
  const directory = openEngineDirectory(runtime, '/data', { memory: runtime.createMemoryDisk() })
  const resolved = resolveConfig([])
  if (!resolved.ok) throw new TypeError('no config')
  const { config } = resolved
  let epoch = 0
  const leadership = () => ({ leader: 1, leaderEpoch: epoch, isr: [1], replicas: [1] })
  const partitions = [0, 1].map(index => new Partition(TOPIC, TOPIC_ID, index, 1))
  for (const partition of partitions) {
    const log = await directory.open(`${TOPIC}-${partition.index}`, {
      config: logConfigFor(new Map(), config),
      topicId: TOPIC_ID,
    })
    partition.lead(leadership())
    partition.attach(log, { flush: 'group', minInSyncReplicas: 1, timestampType: 'CreateTime' })
  }
  const image = {
    ...emptyImage,
    topicsByName: new Map([[TOPIC, { partitions }]]),
  } as unknown as MetadataImage
  const writer = new LogPartitionWriter({
    topic: TOPIC,
    replicas: {
      partition: (_topic, index) => partitions[index],
      whenReady: async () => {},
      logDirectories: () => [],
      move: async () => 0,
    },
    loop: host.loop,
    loadBytes: more.loadBytes ?? 1000,
    image: () => image,
    config: () => config,
  })
  const first = partitions[0] as Partition
  return {
    writer,
    partitions,
    leaderEpoch: () => epoch,
    lose: async () => {
      epoch++
      for (const partition of partitions) partition.lead(leadership())
    },
    settle: async () => {
      await first.log?.sync()
      await new Promise(resolve => setTimeout(resolve, 5))
    },
    leave: async () => {
      for (const { log } of partitions) await log?.close(true)
      await directory.close({ clean: true, brokerEpoch: -1 })
      runtime.unref()
      await runtime.close()
    },
  }
}

partitionWriterContract(test, open)

test('batches that others have compressed arrive inflated', async () => {
  const place = await open()
  const [partition] = place.partitions as [Partition]
  const plain = batchAt(0, 'b', 'c')
  const records = compress(1, plain.subarray(BATCH_HEADER_BYTES)).bytes
  const small = new Uint8Array(BATCH_HEADER_BYTES + records.length)
  small.set(plain.subarray(0, BATCH_HEADER_BYTES))
  small.set(records, BATCH_HEADER_BYTES)
  const view = new DataView(small.buffer)
  view.setInt32(Field.length, small.length - 12)
  view.setInt16(Field.attributes, 1)
  view.setUint32(Field.crc, crc32c(small, Field.attributes))
  const codes: number[] = []
  const sink = { appended: (_slot: number, { code }: { code: number }) => void codes.push(code) }
  partition.append(batchAt(0, 'a'), -1, sink, 0)
  partition.append(small, -1, sink, 0)
  partition.append(batchAt(0, 'd'), -1, sink, 0)
  await place.settle()
  assert.equal([codes, BatchView.at(small, 0)?.compression], [[0, 0, 0], 1])
  const found: string[] = []
  const end = await place.writer.load(0, 0, bytes => {
    for (const batch of batchesOf(bytes))
      for (const { offset, key } of recordsOf(batch)) found.push(`${offset}${String.fromCharCode(key?.[0] ?? 0)}`)
  })
  assert.equal([end, found], [4, ['0a', '1b', '2c', '3d']])
  await place.leave()
})

test('an append that the partition refuses at once is told of later', async () => {
  const place = await open()
  const [partition] = place.partitions as [Partition]
  partition.configure({ flush: 'group', minInSyncReplicas: 2, timestampType: 'CreateTime' })
  partition.lead({ leader: 1, leaderEpoch: 0, isr: [1], replicas: [1, 2] })
  const news: number[] = []
  place.writer.listen(0, 0, {
    onAppended: () => {},
    onFailed: (_ticket, code) => void news.push(code),
    onHighWatermark: () => {},
    onLost: () => {},
  })
  place.writer.append(0, 0, batchAt(0, 'a'), 0)
  assert.equal(news, [])
  await place.settle()
  assert.equal(news, [ErrorCode.NOT_ENOUGH_REPLICAS])
  await place.leave()
})

test('a deleted or failed partition ends the leadership, and can not be loaded', async () => {
  const place = await open()
  const [partition] = place.partitions as [Partition]
  let lost = 0
  place.writer.listen(0, 0, {
    onAppended: () => {},
    onFailed: () => {},
    onHighWatermark: () => {},
    onLost: () => void lost++,
  })
  partition.fail(ErrorCode.KAFKA_STORAGE_ERROR)
  partition.remove()
  assert.is(lost, 1)
  const failed = await place.writer.load(0, 0, () => {}).catch((error: unknown) => error)
  assert.ok(failed instanceof Refusal)
  await place.leave()
})

test.run()
