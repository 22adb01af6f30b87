/**
 * Kafka's own programs over records that go: DeleteRecordsCommand, LogDirsCommand, GetOffsetShell; and DumpLogSegments
 * over what retention and deletion have left on disk, which opens again after kill -9.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deleteRecords } from '../../src/protocol/apis/21-delete-records.ts'
import { describeLogDirs } from '../../src/protocol/apis/35-describe-log-dirs.ts'
import { startBrokerProcess } from '../support/broker-process.ts'
import { type Jvm, startJvm } from '../support/jvm.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'
import { worksWith } from '../support/works-with.ts'
import { eventually } from './target.ts'

export const timeoutMs = 120_000

const tests = suite('tools for retention')
const client = { client: "Kafka's own tools", version: '4.3.1', runtime: 'Java' }
const settings = {
  'log.initial.task.delay.ms': 100,
  'log.retention.check.interval.ms': 100,
  'log.segment.delete.delay.ms': 200,
}

let jvm: Jvm

tests.before(() => {
  requires('kafka')
  jvm = startJvm()
})

tests.after(async () => {
  await jvm?.close()
})

const bases = (folder: string, suffix: string) =>
  readdirSync(folder)
    .filter(name => name.endsWith(suffix))
    .map(name => Number(name.slice(0, 20)))
    .sort((a, b) => a - b)

tests('what they delete and what retention lets go is gone, and stays gone after kill -9', async () => {
  const dir = temporaryFolder('retention')
  let broker = await startBrokerProcess(dir, { settings })
  let bootstrap = ['--bootstrap-server', `127.0.0.1:${broker.port}`]
  const create = (topic: string, ...configs: string[]) =>
    jvm.output(
      'TopicCommand',
      ...bootstrap,
      '--create',
      '--topic',
      topic,
      ...configs.flatMap(each => ['--config', each]),
    )
  const offsets = async (topic: string, time: string) =>
    (await jvm.output('GetOffsetShell', ...bootstrap, '--topic', topic, '--time', time)).trim()

  await create('cut', 'internal.segment.bytes=600')
  await create('sized', 'internal.segment.bytes=600', 'retention.bytes=1500')
  for (let from = 0; from < 300; from += 10) {
    for (const topic of ['cut', 'sized']) await jvm.produce(`127.0.0.1:${broker.port}`, topic, 1, from, from + 10)
  }
  const plan = join(temporaryFolder('plan'), 'delete.json')
  writeFileSync(plan, JSON.stringify({ version: 1, partitions: [{ topic: 'cut', partition: 0, offset: 155 }] }))
  assert.match(await jvm.output('DeleteRecordsCommand', ...bootstrap, '--offset-json-file', plan), /low_watermark: 155/)
  assert.is(await offsets('cut', 'earliest'), 'cut:0:155')
  assert.is(await offsets('cut', 'latest'), 'cut:0:300')

  const folder = join(dir, 'sized-0')
  await eventually(
    () => bases(folder, '.log.deleted').length + bases(folder, '.log').length * 600,
    size => size > 0 && size <= 2400,
  )
  const first = bases(folder, '.log')[0]!
  assert.ok(first > 0)
  assert.is(await offsets('sized', 'earliest'), `sized:0:${first}`)
  assert.ok(bases(join(dir, 'cut-0'), '.log').length > 1)
  assert.ok(bases(join(dir, 'cut-0'), '.log')[0]! <= 155 && bases(join(dir, 'cut-0'), '.log')[1]! > 155)

  const described = await jvm.output('LogDirsCommand', ...bootstrap, '--describe')
  const { logDirs } = JSON.parse(described.split('\n').find(line => line.startsWith('{'))!).brokers[0]
  assert.is(logDirs[0].logDir, dir)
  const sizes = new Map(
    logDirs[0].partitions.map((each: { partition: string; size: number }) => [each.partition, each.size]),
  )
  const onDisk = bases(folder, '.log').reduce(
    (sum, base) => sum + readFileSync(join(folder, `${String(base).padStart(20, '0')}.log`)).length,
    0,
  )
  assert.is(sizes.get('sized-0'), onDisk)

  await broker.kill()
  broker = await startBrokerProcess(dir, { settings })
  bootstrap = ['--bootstrap-server', `127.0.0.1:${broker.port}`]
  assert.ok(Number((await offsets('cut', 'earliest')).split(':')[2]) <= 155)
  assert.is(await offsets('cut', 'latest'), 'cut:0:300')
  assert.is(await offsets('sized', 'latest'), 'sized:0:300')
  assert.is(await offsets('sized', 'earliest'), `sized:0:${first}`)
  const wire = await WireClient.connect(broker.port)
  const room = (await wire.send(describeLogDirs, 4, { topics: [] })).results[0]!
  assert.ok(room.usableBytes > 0 && room.usableBytes <= room.totalBytes, `${room.usableBytes} of ${room.totalBytes}`)
  const { topics } = await wire.send(deleteRecords, 2, {
    topics: [{ name: 'cut', partitions: [{ partitionIndex: 0, offset: -1 }] }],
    timeoutMs: 1000,
  })
  assert.equal(topics[0]!.partitions[0], { partitionIndex: 0, lowWatermark: 300, errorCode: 0 })
  await wire.close()
  assert.is((await broker.stop()).code, 0)

  for (const topic of ['cut', 'sized']) {
    const names = readdirSync(join(dir, `${topic}-0`)).filter(name => /\.(log|index|snapshot)$/.test(name))
    for (const name of names) {
      const text = await jvm.output('DumpLogSegments', '--files', join(dir, `${topic}-0`, name), '--deep-iteration')
      assert.not.match(text, /mismatch|isvalid: false|corrupt/i, `${topic} ${name}`)
    }
  }
  assert.match(readFileSync(join(dir, 'log-start-offset-checkpoint'), 'utf8'), /^cut 0 300$/m)
  worksWith(client, 'DeleteRecordsCommand', 'LogDirsCommand')
})

tests.run()
