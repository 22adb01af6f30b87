/**
 * Kafka's DumpLogSegments over a data directory of ours, after a clean stop and after kill -9, start and stop: it reads
 * every segment, index, producer snapshot and metadata file, and finds nothing wrong.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBrokerProcess } from '../support/broker-process.ts'
import { kafkaTool } from '../support/kafka.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { worksWith } from '../support/works-with.ts'
import { loadPlatformatic } from './target.ts'

const tests = suite('DumpLogSegments')

const PARTITIONS = 2
const codecs = ['none', 'gzip', 'snappy', 'lz4']
/** What the tool says when it dislikes something. */
const complaint =
  /corrupt|mismatch|isvalid: false|exception|out of order|not in ascending|Found timestamp|non-consecutive|invalid/i

/** It takes the first record of every segment but the log's first for a jump, in Kafka's own directories too. */
const firstRecord = /^Non-consecutive offsets in .*\n( {2}-1 is followed by \d+\n?)(?! {2}\d)/gm

tests.before(() => requires('kafka'))

/** Small segments, so that there are sealed ones with full indexes. */
const settings = ['-c', 'log.segment.bytes=1048576', '-c', 'log.index.interval.bytes=1024']

/** Text that no codec shrinks much, the same in every run. */
function noise(seed: number, length: number): string {
  let state = seed + 1
  let text = ''
  while (text.length < length) {
    state = Math.imul(state, 1664525) + 1013904223
    text += (state >>> 0).toString(36)
  }
  return text
}

async function write(port: number, topic: string, rounds: number): Promise<number> {
  const { Admin, Producer } = await loadPlatformatic()
  const options = { clientId: 'dump', bootstrapBrokers: [`127.0.0.1:${port}`], retries: 3 }
  const admin = new Admin(options)
  if (!(await admin.listTopics()).includes(topic)) {
    await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 1 })
  }
  await admin.close()
  const producer = new Producer({ ...options, idempotent: true })
  let sent = 0
  for (let round = 0; round < rounds; round++) {
    const compression = codecs[round % codecs.length]
    const messages = Array.from({ length: 200 }, (_, index) => ({
      topic,
      partition: index % PARTITIONS,
      key: Buffer.from(`k${index}`),
      value: Buffer.from(noise(round * 200 + index, round % 2 === 0 ? 400 : 40)),
    }))
    await producer.send({ messages, compression, acks: -1 })
    sent += messages.length
  }
  await producer.close()
  return sent
}

function filesIn(folder: string, ...endings: string[]): string[] {
  return readdirSync(folder)
    .filter(name => endings.some(ending => name.endsWith(ending)))
    .map(name => join(folder, name))
    .sort()
}

async function dump(files: readonly string[], ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await kafkaTool('DumpLogSegments', ['--files', files.join(','), ...flags])
  assert.is(code, 0, stderr)
  const complaints = (stdout + stderr)
    .replace(firstRecord, '')
    .split('\n')
    .filter(line => complaint.test(line))
  assert.equal(complaints, [])
  return stdout
}

/** Reads everything below `dir`; resolves to the number of records in `topic`. */
async function verify(dir: string, topic: string): Promise<number> {
  let records = 0
  const seen = new Set<string>()
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const folder = join(dir, `${topic}-${partition}`)
    const segments = filesIn(folder, '.log')
    assert.ok(segments.length > 1, 'there are sealed segments')
    const text = await dump(segments, '--deep-iteration', '--print-data-log')
    records += text.match(/^\| offset: /gm)?.length ?? 0
    for (const [, codec] of text.matchAll(/compresscodec: (\w+)/g)) seen.add(codec!)
    assert.not.match(text, /isvalid: false/)
    await dump(filesIn(folder, '.index'), '--index-sanity-check')
    await dump(
      filesIn(folder, '.index', '.timeindex').filter(file => statSync(file).size > 0),
      '--verify-index-only',
    )
    const snapshots = filesIn(folder, '.snapshot')
    assert.ok(snapshots.length > 0, 'there are producer snapshots')
    assert.match(await dump(snapshots), /producerId: \d+/)
  }
  assert.equal([...seen].sort(), [...codecs].sort())
  const metadata = join(dir, '__cluster_metadata-0')
  const text = await dump(filesIn(metadata, '.log', '.checkpoint'), '--cluster-metadata-decoder', '--deep-iteration')
  for (const record of ['LeaderChange', 'TOPIC_RECORD', 'PARTITION_RECORD', 'REGISTER_BROKER_RECORD', 'KRaftVersion']) {
    assert.ok(text.includes(record), record)
  }
  return records
}

tests('it finds nothing wrong when the broker was stopped, or killed, started and stopped', async () => {
  const dir = temporaryFolder('dump')
  const topic = 'dumped'
  let broker = await startBrokerProcess(dir, { args: settings })
  let sent = await write(broker.port, topic, 80)
  assert.is((await broker.stop()).code, 0)
  assert.is(await verify(dir, topic), sent)

  broker = await startBrokerProcess(dir, { args: settings })
  sent += await write(broker.port, topic, 8)
  await broker.kill()
  broker = await startBrokerProcess(dir, { args: settings })
  sent += await write(broker.port, topic, 4)
  assert.is((await broker.stop()).code, 0)
  assert.is(await verify(dir, topic), sent)
  worksWith({ client: "Kafka's own tools", version: '4.3.1', runtime: 'Java' }, 'DumpLogSegments')
})

tests.run()
