import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { RequestContext } from '../../src/broker/context.ts'
import { Deadlines } from '../../src/broker/deadlines.ts'
import { produceHandler } from '../../src/broker/handlers/00-produce.ts'
import { UNKNOWN_OFFSET } from '../../src/broker/unknown-offset.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { Log } from '../../src/log/log.ts'
import { emptyImage } from '../../src/metadata/image.ts'
import { Partition } from '../../src/partition/partition.ts'
import type { ProduceRequest, ProduceResponseInput } from '../../src/protocol/apis/00-produce.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch } from '../support/broker.ts'
import { HandLog } from '../support/hand-log.ts'

const test = suite('produce operation')

const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
const TIMEOUT_MS = 1000

/** Two partitions of one topic on logs that complete when the test says so, and a clock that it moves. */
function broker(flush: 'group' | 'os' = 'group') {
  const host = new SimulatedHost({ seed: 1 })
  const logs = [new HandLog(), new HandLog()]
  const partitions = logs.map((log, index) => {
    const partition = new Partition('t', topicId, index, 1)
    partition.lead({ leader: 1, leaderEpoch: 0, isr: [1], replicas: [1] })
    partition.attach(log as unknown as Log, { flush, minInSyncReplicas: 1, timestampType: 'CreateTime' })
    return partition
  })
  const image = { ...emptyImage, topicsByName: new Map([['t', { name: 't', id: topicId, partitions: [{}, {}] }]]) }
  const said: string[] = []
  const ports = {
    deadlines: new Deadlines(host),
    replicas: { partition: (_topic: string, index: number) => partitions[index] },
    image: () => image,
  }
  const produce = (acks: number, indexes: readonly number[], name = '', quiet = true) => {
    const records = batch(['a'])
    const request: ProduceRequest = {
      transactionalId: null,
      acks,
      timeoutMs: TIMEOUT_MS,
      topicData: [
        {
          name: 't',
          topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
          partitionData: indexes.map(index => ({
            index,
            records: { position: 0, length: records.length, header: records.subarray(0, 61) },
          })),
        },
      ],
    }
    const context = {
      broker: ports,
      connection: { quiet },
      version: 9,
      frame: 0,
      bytes: records,
      answer: ({ responses }: ProduceResponseInput) =>
        void said.push(`${name}[${responses[0]!.partitionResponses.map(each => each.errorCode)}]`),
      prepare: ({ responses }: ProduceResponseInput, untilSynced: boolean) => {
        const { baseOffset } = responses[0]!.partitionResponses[0]!
        assert.is(baseOffset, UNKNOWN_OFFSET)
        return { name, untilSynced }
      },
      answeredAhead: () => void said.push(`${name}ahead`),
      answerNothing: () => void said.push(`${name}nothing`),
      close: () => void said.push(`${name}closed`),
    }
    assert.is(produceHandler.handle(context as unknown as RequestContext, request as never), undefined)
  }
  return { host, logs, partitions, said, produce }
}

test('with the disk held back no answer to acks=all leaves, and all leave with the sync', () => {
  const { logs, said, produce } = broker()
  for (const name of ['a', 'b', 'c']) produce(-1, [0], name)
  produce(1, [0], 'one')
  for (let index = 0; index < 4; index++) logs[0]!.written()
  assert.equal(said, ['one[0]'])
  logs[0]!.synced()
  assert.equal(said, ['one[0]', 'a[0]', 'b[0]', 'c[0]'])
})

test('the answer leaves when the last partition is done', () => {
  const { logs, said, produce } = broker()
  produce(-1, [0, 1])
  logs[1]!.written()
  logs[1]!.synced()
  assert.equal(said, [])
  logs[0]!.complete({ code: ErrorCode.CORRUPT_MESSAGE })
  assert.equal(said, ['[2,0]'])
})

test('what is not on disk in time is told as timed out, once', async () => {
  const { host, logs, said, produce } = broker()
  produce(-1, [0, 1])
  logs[0]!.written()
  logs[0]!.synced()
  logs[1]!.written()
  await host.advance(TIMEOUT_MS - 1)
  assert.equal(said, [])
  await host.advance(1)
  assert.equal(said, ['[0,7]'])
  logs[1]!.synced()
  await host.advance(10 * TIMEOUT_MS)
  assert.equal(said, ['[0,7]'])
})

test('an answer in time leaves no timer behind', async () => {
  const { host, logs, said, produce } = broker()
  produce(-1, [0])
  logs[0]!.written()
  logs[0]!.synced()
  await host.advance(10 * TIMEOUT_MS)
  assert.equal(said, ['[0]'])
  assert.is(host.nextTimerMs, undefined)
})

test('acks=0 is answered by nothing when written, and closes the connection when refused', () => {
  const { logs, said, produce } = broker()
  produce(0, [0], 'good ')
  assert.equal(said, [])
  logs[0]!.written()
  produce(0, [0, 1], 'bad ')
  logs[0]!.written()
  logs[1]!.complete({ code: ErrorCode.CORRUPT_MESSAGE })
  assert.equal(said, ['good nothing', 'bad closed'])
})

test('no answer is written ahead when many requests are at hand', () => {
  const { logs, produce } = broker('os')
  produce(-1, [0], 'busy', false)
  assert.is(logs[0]!.appends.at(-1)?.prepared, undefined)
  produce(-1, [0], 'quiet', true)
  assert.equal(logs[0]!.appends.at(-1)?.prepared as unknown, { name: 'quiet', untilSynced: false })
})

test('an answer is written ahead for one partition, and is given once, here or there', async () => {
  const { host, logs, said, produce } = broker('os')
  const prepared = () => (logs[0]!.appends.at(-1)?.prepared as { name: string } | undefined)?.name
  produce(-1, [0], 'a')
  assert.is(prepared(), 'a')
  assert.is(host.nextTimerMs, undefined)
  logs[0]!.written(1, { answered: true })
  produce(1, [0], 'b')
  assert.is(prepared(), 'b')
  logs[0]!.complete({ code: ErrorCode.CORRUPT_MESSAGE })
  produce(-1, [0], 'c')
  logs[0]!.complete({ base: 0, end: 1, duplicate: true })
  produce(0, [0], 'd ')
  assert.is(prepared(), undefined)
  logs[0]!.written()
  produce(1, [0, 1], 'e')
  assert.is(prepared(), undefined)
  logs[0]!.written()
  logs[1]!.written()
  assert.equal(said, ['aahead', 'b[2]', 'c[0]', 'd nothing', 'e[0,0]'])
})

test('an answer that awaits the sync is written ahead even where many requests are at hand, and has a deadline', async () => {
  const { host, logs, said, produce } = broker()
  for (const name of ['a', 'b', 'c']) produce(-1, [0], name, false)
  assert.equal(
    logs[0]!.appends.map(append => append.prepared as unknown),
    ['a', 'b', 'c'].map(name => ({ name, untilSynced: true })),
  )
  for (let index = 0; index < 3; index++) logs[0]!.written(1, { answered: true })
  assert.equal(said, [])
  logs[0]!.synced(1)
  assert.equal(said, ['aahead'])
  await host.advance(TIMEOUT_MS)
  assert.equal(said, ['aahead', 'b[7]', 'c[7]'])
  logs[0]!.synced()
  assert.equal(said, ['aahead', 'b[7]', 'c[7]'])
})

test('a code that stays inside the broker is never told to a client', () => {
  const { logs, said, produce } = broker()
  produce(1, [0])
  logs[0]!.complete({ code: 1000 })
  assert.equal(said, ['[-1]'])
})

test.run()
