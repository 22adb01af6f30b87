/**
 * Metadata directories that Apache Kafka wrote: what we read in them is what Kafka's own tool shows
 * and Kafka's snapshots hold.
 */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { MetadataLoader } from '../../src/metadata/loader.ts'
import { decodeRecord, encodeRecord } from '../../src/metadata/records.ts'
import { imageOf, imageRecords } from '../../src/metadata/snapshot.ts'
import type { CommittedBatch } from '../../src/raft/driver.ts'
import { buildSnapshot, parseSnapshot, parseSnapshotName } from '../../src/raft/snapshot.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import type { DumpedRecord } from '../support/metadata-transcript.ts'
import { dumpRecords } from '../support/metadata-transcript.ts'
import { inRepository } from '../support/paths.ts'

const test = suite('metadata directories of Apache Kafka')
const LOG = '__cluster_metadata-0/00000000000000000000.log'
const SNAPSHOTS = ['00000000000000000114-0000000002.checkpoint', '00000000000000000135-0000000002.checkpoint']

const file = (run: string, name: string): Uint8Array =>
  new Uint8Array(readFileSync(inRepository('test/vectors/metadata', run, name)))

function committed(bytes: Uint8Array, end: number): CommittedBatch[] {
  const batches: CommittedBatch[] = []
  for (const batch of batchesOf(bytes)) {
    if (batch.lastOffset >= end) break
    const records = batch.isControl ? [] : Array.from(recordsOf(batch), record => record.value!)
    const { baseOffset, lastOffset, leaderEpoch: epoch, size } = batch
    batches.push({ baseOffset, lastOffset, epoch, timestampMs: Number(batch.maxTimestamp), bytes: size, records })
  }
  return batches
}

/**
 * Everything in an image, in one order. Left out: configs of topics that do not exist. Kafka keeps those of a
 * topic that is created and deleted within one load, so they stand in the snapshots of a broker that has
 * restarted; we remove them.
 */
function contents(image: MetadataImage): string[] {
  const lines: string[] = []
  for (const { name, data } of imageRecords(image)) {
    if (name === 'ConfigRecord' && data.resourceType === 2 && !image.topicsByName.has(data.resourceName)) continue
    const json = JSON.stringify(data, (key, value) => {
      if (key === 'features') return [...value].sort((a, b) => (a.name < b.name ? -1 : 1))
      return typeof value === 'bigint' ? `${value}n` : value
    })
    lines.push(`${name} ${json}`)
  }
  return lines.sort()
}

for (const run of ['life', 'kinds']) {
  test(`every record of ${run} reads as DumpLogSegments shows it`, () => {
    const dumps = JSON.parse(readFileSync(inRepository('test/vectors/metadata', run, 'dump.json'), 'utf8')) as Record<
      string,
      DumpedRecord[]
    >
    for (const [name, expected] of Object.entries(dumps)) {
      const found = dumpRecords(file(run, name))
      assert.is(found.length, expected.length, name)
      for (const [index, record] of found.entries()) {
        if (record.control === undefined) assert.equal(record, expected[index], `${name} ${record.offset}`)
      }
    }
  })

  test(`every record of ${run} is encoded again to the same bytes`, () => {
    for (const batch of committed(file(run, LOG), Number.MAX_SAFE_INTEGER)) {
      for (const value of batch.records) assert.equal(encodeRecord(decodeRecord(value)), value)
    }
  })
}

for (const name of SNAPSHOTS) {
  test(`replaying the log up to ${name} gives the image in it`, () => {
    const id = parseSnapshotName(name)!
    const snapshot = parseSnapshot(file('kinds', `__cluster_metadata-0/${name}`))
    assert.not.type(snapshot, 'string')
    if (typeof snapshot === 'string') return
    const theirs = imageOf(id, snapshot.lastContainedTimestampMs, snapshot.records)
    const loader = new MetadataLoader(silentLogger)
    loader.loadBatches(committed(file('kinds', LOG), id.endOffset))
    const ours = loader.image()
    assert.equal(contents(ours), contents(theirs))
    assert.is(ours.offset, theirs.offset)
    assert.is(ours.epoch, theirs.epoch)
    assert.is(ours.timestampMs, snapshot.lastContainedTimestampMs)
    assert.is(ours.topicsByName.size, 5)
  })

  test(`${name} is written again with the same records and quorum`, () => {
    const id = parseSnapshotName(name)!
    const bytes = file('kinds', `__cluster_metadata-0/${name}`)
    const snapshot = parseSnapshot(bytes)
    if (typeof snapshot === 'string') throw new Error(snapshot)
    const again = parseSnapshot(buildSnapshot(id, snapshot, 1))
    assert.equal(again, snapshot)
  })
}

test('a snapshot cut at any byte is refused', () => {
  const bytes = file('kinds', `__cluster_metadata-0/${SNAPSHOTS[0]}`)
  for (let length = 0; length < bytes.length; length++) assert.type(parseSnapshot(bytes.subarray(0, length)), 'string')
})

test('the checkpoint of a format has the bytes that Kafka gives it', () => {
  const name = '00000000000000000000-0000000000.checkpoint'
  const bytes = file('life', `__cluster_metadata-0/${name}`)
  const snapshot = parseSnapshot(bytes)
  if (typeof snapshot === 'string') throw new Error(snapshot)
  const [header, footer] = [...batchesOf(bytes)]
  const again = buildSnapshot(parseSnapshotName(name)!, snapshot, Number(header!.baseTimestamp))
  assert.equal(again.subarray(0, header!.size), bytes.subarray(0, header!.size))
  const footerAgain = buildSnapshot(parseSnapshotName(name)!, snapshot, Number(footer!.baseTimestamp))
  assert.equal(footerAgain.subarray(header!.size), bytes.subarray(header!.size))
})

test.run()
