/** What we write to the metadata log in a broker's life is what Apache Kafka writes, batch by batch. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TestNode } from '../support/metadata-node.ts'
import type { DumpedRecord, TranscriptBatch } from '../support/metadata-transcript.ts'
import { dumpRecords, Normaliser } from '../support/metadata-transcript.ts'
import { inRepository } from '../support/paths.ts'

const test = suite('transcript of the metadata log')
const LOG = '__cluster_metadata-0/00000000000000000000.log'
const FIRST_CHECKPOINT = '__cluster_metadata-0/00000000000000000000-0000000000.checkpoint'

interface Phase {
  name: string
  end: number
}

const read = (name: string) => JSON.parse(readFileSync(inRepository('test/vectors/metadata/life', name), 'utf8'))
const kafkaPhases: Phase[] = read('phases.json').phases

/** Kafka's log, phase by phase. */
function kafkaLife(): Map<string, TranscriptBatch[]> {
  const records: DumpedRecord[] = read('dump.json')[LOG]
  // The tool's words for control records differ from ours, so those are read from the file.
  const raw = dumpRecords(new Uint8Array(readFileSync(inRepository('test/vectors/metadata/life', LOG))))
  const merged = records.map((record, index) => (record.control === undefined ? record : raw[index]!))
  return phasesOf(merged, kafkaPhases)
}

function phasesOf(records: readonly DumpedRecord[], phases: readonly Phase[]): Map<string, TranscriptBatch[]> {
  const normaliser = new Normaliser()
  const result = new Map<string, TranscriptBatch[]>()
  let from = 0
  for (const { name, end } of phases) {
    result.set(name, normaliser.batches(records.filter(record => record.offset >= from && record.offset < end)))
    from = end
  }
  return result
}

/** The same life on our side. `epoch`: what the broker presents after the kill. */
async function ourLife(epoch?: number): Promise<{ phases: Map<string, TranscriptBatch[]>; node: TestNode }> {
  const phases: Phase[] = []
  let node = await new TestNode().start()
  const phase = (name: string): void => void phases.push({ name, end: node.logEnd })
  await node.serve()
  phase('first start')
  await node.createTopic('plain')
  phase('create plain')
  const configs = [
    { name: 'compression.type', value: 'lz4' },
    { name: 'retention.ms', value: '60000' },
  ]
  await node.createTopic('configured', { configs })
  phase('create configured')
  await node.createTopic('three', { numPartitions: 3, replicationFactor: 1 })
  phase('create three')
  const topics = [{ name: 'plain', count: 2, assignments: null }]
  await node.handle(37, 3, { topics, timeoutMs: 1000, validateOnly: false })
  phase('partitions of plain')
  await node.handle(20, 6, {
    topics: [{ name: 'configured', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    topicNames: [],
    timeoutMs: 1000,
  })
  phase('delete configured')
  await node.handle(67, 0, { brokerId: 1, brokerEpoch: node.lifecycle!.brokerEpoch })
  phase('producer id')
  await node.stop()
  phase('clean stop')
  node = await new TestNode(node.disk, 2).start()
  await node.serve()
  phase('restart after clean stop')
  node.kill()
  phase('kill')
  node = await new TestNode(node.disk, 3).start()
  await node.serve(epoch)
  phase('restart after kill')
  await node.stop()
  phase('second clean stop')
  return { phases: phasesOf(dumpRecords(node.log()), phases), node }
}

test('format writes the checkpoint and the bootstrap records that Kafka writes', async () => {
  const node = await new TestNode().start()
  const dumps = read('dump.json')
  for (const [ours, theirs] of [
    [FIRST_CHECKPOINT, FIRST_CHECKPOINT],
    ['bootstrap.checkpoint', 'bootstrap.checkpoint'],
  ]) {
    const kafka = dumpRecords(new Uint8Array(readFileSync(inRepository('test/vectors/metadata/life', theirs!))))
    assert.is(kafka.length, dumps[theirs!].length)
    const found = dumpRecords(node.disk.files.get(ours!)!)
    assert.equal(new Normaliser().batches(found), new Normaliser().batches(kafka), ours)
  }
})

test('each phase of a life is the same when the broker comes back after a kill without its epoch', async () => {
  const kafka = kafkaLife()
  const { phases } = await ourLife(-1)
  for (const [name, batches] of phases) {
    // Kafka takes back the ISR of a killed broker when its session has run out, we when its
    // successor starts: same records.
    assert.equal(batches, kafka.get(name), name)
  }
  assert.is(phases.size, kafkaPhases.length - 1)
})

test('after a kill a broker that presents its epoch comes back without an unclean election', async () => {
  const { phases, node } = await ourLife()
  const kafka = kafkaLife()
  for (const name of ['first start', 'clean stop', 'restart after clean stop', 'second clean stop']) {
    assert.equal(phases.get(name), kafka.get(name), name)
  }
  const text = JSON.stringify(phases.get('restart after kill'))
  assert.not.match(text, 'leaderRecoveryState')
  for (const topic of node.metadata.image().topicsByName.values()) {
    for (const partition of topic.partitions) assert.is(partition.leaderRecoveryState, 0)
  }
})

test('the file quorum-state has the fields that Kafka gives it', async () => {
  const node = await new TestNode().start()
  const ours = JSON.parse(new TextDecoder().decode(node.disk.files.get('__cluster_metadata-0/quorum-state')))
  const theirs = JSON.parse(
    readFileSync(inRepository('test/vectors/metadata/life/__cluster_metadata-0/quorum-state'), 'utf8'),
  )
  assert.equal({ ...ours, leaderEpoch: 3 }, theirs)
  assert.is(ours.leaderEpoch, 1)
})

test.run()
