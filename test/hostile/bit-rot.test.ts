/** A bit that flips under a stopped broker: what it spoils is refused and named, once, and everything else goes on. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Logger, startBroker } from '../../src/index.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('bit rot')

const BATCHES = 32
const place = { topic: 'rotten', partition: 0, acks: -1 } as const

/** A directory with a partition of several segments and two records in each batch, closed; its folder. */
async function used(dir: string): Promise<string> {
  const broker = await startBroker({ dir, logger: false })
  const client = await WireClient.connect(broker.port)
  const configs = [{ name: 'segment.bytes', value: String(1 << 20) }]
  const topic = { name: place.topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs }
  const { topics } = await client.send(createTopics, 7, { topics: [topic], timeoutMs: 30_000 })
  assert.is(topics[0]?.errorCode, 0)
  for (let n = 0; n < BATCHES; n++) await produceBatch(client, place, [`${n}`, 'x'.repeat(100_000)])
  await client.close()
  await broker.close()
  return join(dir, `${place.topic}-0`)
}

/** What one Fetch answers: its code, and the offsets of the batches in it. */
async function fetched(client: WireClient, from: number) {
  const partitions = [{ partition: 0, currentLeaderEpoch: -1, fetchOffset: from, partitionMaxBytes: 250_000 }]
  const { response, frame } = await client.exchange(fetch, 12, {
    maxWaitMs: 100,
    minBytes: 1,
    maxBytes: 1 << 20,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic: place.topic, partitions }],
    forgottenTopicsData: [],
  })
  const { errorCode, records } = response.responses[0]!.partitions[0]!
  const { position, length } = records ?? { position: 0, length: 0 }
  const batches = [...batchesOf(frame.subarray(position, position + length))]
  return { errorCode, offsets: batches.flatMap(({ baseOffset, lastOffset }) => [baseOffset, lastOffset]) }
}

test('a flipped bit in a sealed segment is CORRUPT_MESSAGE for its batch and one line of the log, and all else is served', async () => {
  const dir = join(temporaryFolder('rot'), 'data')
  const folder = await used(dir)
  const segments = readdirSync(folder).filter(name => name.endsWith('.log'))
  assert.ok(segments.length >= 3)
  const file = join(folder, segments[1]!)
  const bytes = readFileSync(file)
  const batches = [...batchesOf(bytes)]
  const bad = batches[2]!
  const { at } = bad
  bytes[at + 200]! ^= 16
  writeFileSync(file, bytes)

  const lines: string[] = []
  const told = (...args: unknown[]) => void lines.push(String(args.at(-1)))
  const logger: Logger = { debug: () => {}, info: () => {}, warn: told, error: told }
  const broker = await startBroker({ dir, logger })
  const client = await WireClient.connect(broker.port)
  const before: number[] = []
  while (before.length < bad.baseOffset) {
    const { errorCode, offsets } = await fetched(client, before.length)
    assert.equal([errorCode, offsets.length > 0], [ErrorCode.NONE, true], `from ${before.length}`)
    before.push(...offsets)
  }
  assert.equal(before, [...Array(bad.baseOffset).keys()])
  for (let offset = bad.baseOffset; offset <= bad.lastOffset; offset++) {
    assert.equal(await fetched(client, offset), { errorCode: ErrorCode.CORRUPT_MESSAGE, offsets: [] })
  }
  assert.equal(lines.filter(line => line.includes(`${file} is damaged at byte ${at}: `)).length, 1, lines.join('\n'))

  const { errorCode, baseOffset } = await produceBatch(client, place, ['new'])
  assert.equal([errorCode, baseOffset], [0, BATCHES * 2])
  // Whoever looks for the batch right behind it is led there by the index entry of the bad one.
  const next = batches[4]!.baseOffset
  const behind = await readAll(client, place.topic, 0, next)
  assert.equal([behind[0]?.offset, behind.at(-1)?.value], [next, 'new'])
  assert.is(lines.length, 1, lines.join('\n'))
  await client.close()
  await broker.close()
})

test.run()
