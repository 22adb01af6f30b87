/** Formatting, starting, refusing; and that log and snapshot hold everything. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { brokerConfigOf } from '../../src/config/broker-config.ts'
import { startMetadata } from '../../src/controller/start.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { MetadataError } from '../../src/metadata/records.ts'
import { imageRecords } from '../../src/metadata/snapshot.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { MemoryDirectory, MemoryDisk } from '../support/memory-log.ts'
import { TestNode } from '../support/metadata-node.ts'

const test = suite('starting the metadata')
const META = 'meta.properties'
const FOLDER = '__cluster_metadata-0'

const text = (content: Uint8Array | undefined): string => new TextDecoder().decode(content)
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)

const contents = (image: MetadataImage): string[] =>
  Array.from(imageRecords(image), record =>
    JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
  ).sort()

/** Starts on `disk` and expects a refusal that says all of this. */
async function refused(node: TestNode, ...parts: string[]): Promise<void> {
  try {
    await node.start()
  } catch (error) {
    assert.instance(error, MetadataError)
    for (const part of parts) assert.match((error as Error).message, part)
    return
  }
  assert.unreachable('it started')
}

/** A disk on which a node was started once. */
async function formatted(): Promise<MemoryDisk> {
  const node = await (await new TestNode().start()).serve()
  await node.createTopic('a', { numPartitions: 2 })
  await node.stop()
  return node.disk
}

test('a first start formats, in an order in which a broken one is begun again', async () => {
  const node = await new TestNode().start()
  assert.ok(node.metadata.firstStart)
  assert.equal(
    node.directory.steps.map(step => step.replace(/[0-9]{20}-[0-9]{10}/, '0-0')),
    [
      'file bootstrap.checkpoint',
      `file ${FOLDER}/0-0.checkpoint`,
      `file ${META}`,
      `file ${FOLDER}/quorum-state`,
      `append ${FOLDER}`,
      `sync ${FOLDER}`,
      `append ${FOLDER}`,
      `append ${FOLDER}`,
      `sync ${FOLDER}`,
    ],
  )
  const lines = text(node.disk.files.get(META)).split('\n')
  const id = [...node.metadata.directoryIds.values()][0]
  assert.equal(lines, [
    '#',
    'version=1',
    `cluster.id=${node.metadata.clusterId}`,
    'node.id=1',
    `directory.id=${id}`,
    '',
  ])
})

test('a start that broke off anywhere can be made again', async () => {
  for (const file of ['bootstrap.checkpoint', '.checkpoint', META, 'quorum-state']) {
    const node = new TestNode()
    node.directory.faults.writeFile = file
    await node.start().then(
      () => assert.unreachable(file),
      () => {},
    )
    const again = await (await new TestNode(node.disk, 2).start()).serve()
    assert.is((await again.createTopic('a')).topics[0]!.errorCode, ErrorCode.NONE, file)
  }
})

test('a second start is of the same cluster, one epoch later', async () => {
  const first = await new TestNode().start()
  const second = await new TestNode(first.disk, 2).start()
  assert.is(second.metadata.clusterId, first.metadata.clusterId)
  assert.equal([...second.metadata.directoryIds.values()], [...first.metadata.directoryIds.values()])
  assert.is(second.metadata.firstStart, false)
  assert.match(text(second.disk.files.get(`${FOLDER}/quorum-state`)), '"leaderEpoch":2')
})

test('the cluster id that was asked for is taken', async () => {
  const node = await new TestNode(undefined, 1, { clusterId: 'AAAAAAAAAAAAAAAAAAAAEA' }).start()
  assert.is(node.metadata.clusterId, 'AAAAAAAAAAAAAAAAAAAAEA')
})

test('a directory of another cluster, node or release is refused, and the message says what to do', async () => {
  const disk = await formatted()
  const meta = text(disk.files.get(META))
  const cluster = /cluster\.id=(.*)/.exec(meta)![1]!
  const other = 'AAAAAAAAAAAAAAAAAAAAEA'
  await refused(new TestNode(disk, 2, { clusterId: other }), `/memory/${META}`, cluster, other, 'another cluster')
  await refused(
    new TestNode(disk, 2, { nodeId: 7 }),
    `/memory/${META}`,
    'node.id=1',
    'node.id=7'.slice(-1),
    'start with node.id=1',
  )
  const cases: [string, string][] = [
    [meta.replace('version=1', 'version=2'), 'version=2'],
    [meta.replace('version=1', 'version=0'), 'version=0'],
    [meta.replace('version=1\n', ''), 'no version'],
    [meta.replace(/cluster\.id=.*\n/, ''), 'cluster.id'],
    [meta.replace('node.id=1', 'node.id=one'), 'node.id=one'],
    [meta.replace(/node\.id=.*\n/, ''), 'node.id'],
    [meta.replace(/directory\.id=.*/, 'directory.id=x'), 'directory.id=x'],
    ['\\u00', 'properties'],
    ['', 'no version'],
  ]
  for (const [content, part] of cases) {
    disk.files.set(META, bytes(content))
    await refused(new TestNode(disk, 2), `/memory/${META}`, part)
    assert.is(text(disk.files.get(META)), content)
  }
})

test('a metadata log without meta.properties is refused, not formatted over', async () => {
  const disk = await formatted()
  disk.files.delete(META)
  await refused(new TestNode(disk, 2), FOLDER, 'no meta.properties', 'restore')
  assert.is(disk.files.has(META), false)
})

test('a directory that was swapped for another under the same node is refused', async () => {
  const disk = await formatted()
  const meta = text(disk.files.get(META))
  disk.files.set(META, bytes(meta.replace(/directory\.id=.*/, 'directory.id=AAAAAAAAAAAAAAAAAAAAEA')))
  await refused(new TestNode(disk, 2), 'directory.id=AAAAAAAAAAAAAAAAAAAAEA', 'meta.properties')
})

test('a damaged file quorum-state is refused', async () => {
  const disk = await formatted()
  disk.files.set(`${FOLDER}/quorum-state`, bytes('{"leaderEpoch":'))
  await refused(new TestNode(disk, 2), 'quorum-state', 'not JSON')
})

test('a log at a level that this release does not know is refused', async () => {
  const disk = await formatted()
  const node = await new TestNode(disk, 2).start()
  // What a newer release would have written: a feature level beyond ours.
  const { encodeRecord } = await import('../../src/metadata/records.ts')
  const { buildBatch } = await import('../../src/records/builder.ts')
  const value = encodeRecord({
    name: 'FeatureLevelRecord',
    version: 0,
    data: { name: 'metadata.version', featureLevel: 31 },
  })
  disk.logs
    .get(FOLDER)!
    .batches.push(buildBatch([{ key: null, value }], { baseOffset: node.logEnd, leaderEpoch: 2, timestamp: 1n }))
  await refused(new TestNode(disk, 3), 'metadata.version=31', '7 to 30', 'release')
})

test('a record that cannot be read stops the start', async () => {
  const disk = await formatted()
  const node = await new TestNode(disk, 2).start()
  const { buildBatch } = await import('../../src/records/builder.ts')
  const batch = buildBatch([{ key: null, value: new Uint8Array([1, 99, 0]) }], {
    baseOffset: node.logEnd,
    leaderEpoch: 2,
    timestamp: 1n,
  })
  disk.logs.get(FOLDER)!.batches.push(batch)
  await refused(new TestNode(disk, 3), FOLDER, 'kind 99')
})

test('a second log directory gets its own id, also when it comes later', async () => {
  const [first, second] = [new MemoryDirectory(new MemoryDisk(), '/one'), new MemoryDirectory(new MemoryDisk(), '/two')]
  const start = (directories: MemoryDirectory[], seed: number) =>
    startMetadata({
      host: new SimulatedHost({ seed }),
      logger: silentLogger,
      directories,
      nodeId: 1,
      controllerListener: { name: 'CONTROLLER', host: 'localhost', port: 9093 },
      config: brokerConfigOf(new Map()),
    })
  const one = await start([first], 1)
  await one.close()
  const two = await start([first, second], 2)
  assert.is(new Set(two.directoryIds.values()).size, 2)
  assert.is(two.directoryIds.get(first), one.directoryIds.get(first))
  assert.ok(second.disk.files.has(META))
  second.disk.files.set(META, first.disk.files.get(META)!)
  await start([first, second], 3).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, 'one is a copy'),
  )
})

/** A node with something of everything that it can make. */
async function busy(config: Record<string, string> = {}): Promise<TestNode> {
  const node = await (await new TestNode(undefined, 1, { config }).start()).serve()
  for (let i = 0; i < 30; i++) {
    await node.createTopic(`topic-${i}`, {
      numPartitions: 1 + (i % 3),
      configs: [{ name: 'retention.ms', value: String(i + 1000) }],
    })
  }
  await node.handle(20, 6, {
    topics: [{ name: 'topic-7', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    topicNames: [],
    timeoutMs: 1,
  })
  await node.handle(67, 0, { brokerId: 1, brokerEpoch: node.lifecycle!.brokerEpoch })
  return node
}

test('with every object dropped, the log alone gives the same image', async () => {
  const node = await busy()
  const before = contents(node.metadata.image())
  node.kill()
  const disk = node.disk
  disk.crash()
  const again = new TestNode(disk, 2)
  const images: string[][] = []
  await again.start()
  again.metadata.loader.subscribe({ name: 'test', publish: (_, image) => images.push(contents(image)) })
  // The new controller has fenced the old incarnation, so only the partitions and the broker may differ.
  const stable = (lines: string[]) => lines.filter(line => !/Partition|RegisterBroker|RegisterController/.test(line))
  assert.equal(stable(images[0]!), stable(before))
  await again.serve()
  const normal = (lines: string[]) =>
    lines
      .map(line => line.replace(/"(incarnationId|brokerEpoch|leaderEpoch|partitionEpoch)":("[^"]*"|\d+)/g, ''))
      .sort()
  assert.equal(normal(contents(again.metadata.image())), normal(before))
})

test('from a snapshot and the log behind it a start gives the image that the log alone gives', async () => {
  const node = await busy()
  await node.metadata.snapshot()
  await node.createTopic('after the snapshot'.replaceAll(' ', '-'))
  node.kill()
  const snapshots = [...node.disk.files.keys()].filter(name => /[1-9]\d*-\d{10}\.checkpoint$/.test(name))
  assert.is(snapshots.length, 1)
  const without = new MemoryDisk()
  for (const [name, content] of node.disk.files) if (!snapshots.includes(name)) without.files.set(name, content)
  for (const [name, log] of node.disk.logs) without.logs.set(name, { ...log, batches: [...log.batches] })
  const fromSnapshot = await new TestNode(node.disk, 2).start()
  const fromLog = await new TestNode(without, 2).start()
  assert.equal(contents(fromSnapshot.metadata.image()), contents(fromLog.metadata.image()))
  assert.is(fromSnapshot.metadata.image().offset, fromLog.metadata.image().offset)
  assert.ok(fromSnapshot.metadata.image().topicsByName.has('after-the-snapshot'))
})

test('snapshots come by themselves after enough bytes, and older ones go', async () => {
  const node = await busy({ 'metadata.log.max.record.bytes.between.snapshots': '1000' })
  await node.host.settle()
  const names = [...node.disk.files.keys()].filter(name => name.endsWith('.checkpoint') && name.startsWith(FOLDER))
  assert.is(names.length, 2)
  assert.match(names[0]!, '00000000000000000000-0000000000')
  const end = Number(/(\d{20})-/.exec(names[1]!)![1])
  assert.ok(end > 0 && end <= node.logEnd)
  const again = await new TestNode(node.disk, 2).start()
  assert.is(again.metadata.image().topicsByName.size, 29)
})

test('what a start reads counts too, so many short lives make a snapshot due', async () => {
  const node = await busy()
  node.kill()
  const config = { 'metadata.log.max.record.bytes.between.snapshots': '1000' }
  const again = await (await new TestNode(node.disk, 2, { config }).start()).serve()
  await again.host.settle()
  assert.ok([...node.disk.files.keys()].some(name => /[1-9]\d*-\d{10}\.checkpoint$/.test(name)))
})

test('a broker on a failed metadata log is not told that it serves, and its shutdown does not wait', async () => {
  const node = await new TestNode().start()
  node.directory.faults.holdSync = true
  const serving = node.serve().then(
    () => 'serves',
    (error: Error) => error.message,
  )
  await node.host.settle()
  node.directory.fail('fsync failed')
  assert.match(await serving, 'refused to register')
  const other = await (await new TestNode(undefined, 2).start()).serve()
  other.directory.fail('fsync failed')
  await other.lifecycle!.controlledShutdown(5000)
  await other.metadata.close()
})

test('a damaged snapshot is passed over when the log reaches back', async () => {
  const node = await busy()
  await node.metadata.snapshot()
  const name = [...node.disk.files.keys()].find(file => /[1-9]\d*-\d{10}\.checkpoint$/.test(file))!
  node.disk.files.set(name, node.disk.files.get(name)!.slice(0, -3))
  node.kill()
  const again = await new TestNode(node.disk, 2).start()
  assert.is(again.metadata.image().topicsByName.size, 29)
})

test('a log that ends before its snapshot is refused', async () => {
  const node = await busy()
  await node.metadata.snapshot()
  node.kill()
  node.disk.logs.get(FOLDER)!.batches.length = 5
  await refused(new TestNode(node.disk, 2), FOLDER, 'before its snapshot', 'segments')
})

test('a snapshot that cannot be stored is no failure', async () => {
  const node = await busy()
  node.directory.faults.writeFile = '.checkpoint'
  await node.metadata.snapshot()
  assert.is((await node.createTopic('a')).topics[0]!.errorCode, ErrorCode.NONE)
})

test('a controlled shutdown takes the leaders back and is granted at once', async () => {
  const node = await (await new TestNode().start()).serve()
  await node.createTopic('a')
  await node.stop()
  assert.is(node.disk.cleanBrokerEpoch, node.lifecycle!.brokerEpoch)
  const again = await new TestNode(node.disk, 2).start()
  assert.is(again.metadata.image().topicsByName.get('a')!.partitions[0]!.leader, -1)
  await again.serve()
  assert.is(again.metadata.image().topicsByName.get('a')!.partitions[0]!.leader, 1)
})

test.run()
