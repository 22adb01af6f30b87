/** What a partition holds, read over a bare connection, with what a crash must not leave there refused. */
import { fetch } from '../../../src/protocol/apis/01-fetch.ts'
import { listOffsets } from '../../../src/protocol/apis/02-list-offsets.ts'
import { batchesOf } from '../../../src/records/batch.ts'
import { recordsOf } from '../../../src/records/iterate.ts'
import type { WireClient } from '../wire-client.ts'

/** Something that was promised does not hold. */
export class Violation extends Error {
  override name = 'Violation'
}

export interface Read {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
}

const decoder = new TextDecoder()
const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : decoder.decode(bytes))

const EARLIEST = -2n
const LATEST = -1n

const offsetOf = async (client: WireClient, topic: string, partition: number, timestamp: bigint): Promise<number> => {
  const { topics } = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }] }],
  })
  const found = topics[0]?.partitions[0]
  if (found?.errorCode !== 0) throw new Violation(`the offsets of ${topic}-${partition}: ${found?.errorCode}`)
  return Number(found.offset)
}

export const bounds = async (client: WireClient, topic: string, partition: number) => ({
  start: await offsetOf(client, topic, partition, EARLIEST),
  end: await offsetOf(client, topic, partition, LATEST),
})

/** The next records from `from` on, and where to go on; `errorCode` where there are none. */
export const readSome = async (client: WireClient, topic: string, partition: number, from: number, maxWaitMs = 0) => {
  const partitions = [{ partition, currentLeaderEpoch: -1, fetchOffset: from, partitionMaxBytes: 4 << 20 }]
  const { response, frame } = await client.exchange(fetch, 12, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: 8 << 20,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic, partitions }],
    forgottenTopicsData: [],
  })
  const answer = response.responses[0]?.partitions[0]
  const records: Read[] = []
  let next = from
  if (answer?.errorCode === 0 && answer.records !== null) {
    const { position, length } = answer.records
    for (const batch of batchesOf(frame.subarray(position, position + length))) {
      if (!batch.isIntact) throw new Violation(`${topic}-${partition}: the batch at ${batch.baseOffset} is broken`)
      for (const { offset, key, value } of recordsOf(batch)) {
        if (offset >= from) records.push({ offset, key: text(key), value: text(value) })
      }
      next = batch.lastOffset + 1
    }
  }
  return { errorCode: answer?.errorCode ?? -1, records, next }
}

/** Everything between `start` and `end`. */
export const readBetween = async (
  client: WireClient,
  topic: string,
  partition: number,
  { start, end }: { start: number; end: number },
): Promise<Read[]> => {
  const found: Read[] = []
  for (let from = start; from < end; ) {
    const { errorCode, records, next } = await readSome(client, topic, partition, from)
    if (errorCode !== 0) throw new Violation(`${topic}-${partition} from ${from}: ${errorCode}`)
    if (next <= from) throw new Violation(`${topic}-${partition}: nothing at ${from}, which is below ${end}`)
    // Not by spreading: a batch may hold more than a call takes.
    for (const record of records) found.push(record)
    from = next
  }
  return found
}
