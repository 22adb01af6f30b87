import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UNKNOWN_OFFSET, unknownOffsetAt } from '../../src/broker/unknown-offset.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { initProducerId } from '../../src/protocol/apis/22-init-producer-id.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { encodeResponse } from '../../src/protocol/headers.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { batch, everyVersion, startTestBroker, type TestBroker, valuesIn } from '../support/broker.ts'
import type { WireClient } from '../support/wire-client.ts'

async function send(
  client: WireClient,
  version: number,
  topic: { name: string; id: string },
  records: Uint8Array,
  acks = -1,
) {
  const { responses } = await client.send(produce, version, {
    acks,
    timeoutMs: 5000,
    topicData: [{ name: topic.name, topicId: topic.id, partitionData: [{ index: 0, records }] }],
  })
  return responses[0]!.partitionResponses[0]!
}

async function lastOffset(client: WireClient, name: string) {
  const { topics } = await client.send(listOffsets, 6, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  })
  return topics[0]!.partitions[0]!.offset
}

async function read(client: WireClient, topic: string, fetchOffset: number) {
  const { response, frame } = await client.exchange(fetch, 12, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1 << 20,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }] }],
    forgottenTopicsData: [],
  })
  return valuesIn(frame, response.responses[0]!.partitions[0]!.records)
}

const offsets = suite('prepared answers of produce')
offsets('the offset is found where it stands, whatever the correlation id and the topic id are', () => {
  const bytes = (version: number) => {
    const partitionResponses = [
      { index: 0, errorCode: 0, baseOffset: UNKNOWN_OFFSET, logStartOffset: 0, recordErrors: [] },
    ]
    // The topic id, too, has the bytes of the unknown offset.
    const response = { responses: [{ name: 'topic', topicId: 'ABEiM0RVZncAESIzRFVmdw', partitionResponses }] }
    const [whole] = encodeResponse(new Writer(), produce, version, 0x0011_2233, response)
    return whole as Uint8Array
  }
  for (const version of everyVersion(produce)) {
    const tail = version < 5 ? 12 : version < 8 ? 20 : version === 8 ? 26 : 25
    const whole = bytes(version)
    assert.is(unknownOffsetAt(whole), whole.length - tail - 8, `version ${version}`)
  }
})

offsets.run()

for (const flush of ['os', 'group'] as const) {
  const test = suite(`prepared answers of produce, flush=${flush}`)
  // What is written and not on disk isn't seen under `group`.
  const waitsForAll = (index: number) => flush === 'group' || index % 2 === 0
  let fixture: TestBroker
  test.before(async () => {
    fixture = await startTestBroker({ flush })
  })
  test.after(() => fixture.close())

  test('every version is answered with the first offset of its batch, small and large', async () => {
    const topic = await fixture.topic()
    const client = await fixture.connect()
    let offset = 0
    for (const version of everyVersion(produce)) {
      for (const acks of [1, -1]) {
        for (const value of ['a', 'x'.repeat(20_000)]) {
          const answer = await send(client, version, topic, batch([value, 'b']), acks)
          assert.is(answer.errorCode, 0, `version ${version}, acks ${acks}`)
          assert.is(answer.baseOffset, offset)
          assert.is(answer.logAppendTimeMs, -1)
          assert.is(answer.errorMessage ?? null, null)
          offset += 2
        }
      }
    }
  })

  test('what was acknowledged is seen by every later request of a pipeline', async () => {
    const topic = await fixture.topic()
    const client = await fixture.connect()
    const seen: Promise<void>[] = []
    for (let index = 0; index < 1000; index++) {
      const acks = waitsForAll(index) ? -1 : 1
      seen.push(
        send(client, 9, topic, batch([`${index}`]), acks).then(answer => {
          assert.is(answer.errorCode, 0)
          assert.is(answer.baseOffset, index)
        }),
      )
      if (index % 7 === 0) seen.push(lastOffset(client, topic.name).then(offset => assert.is(offset, index + 1)))
      if (index % 11 === 0)
        seen.push(read(client, topic.name, index).then(values => assert.equal(values, [`${index}:${index}`])))
    }
    await Promise.all(seen)
  })

  test('what was acknowledged on one connection is seen on another', async () => {
    const topic = await fixture.topic()
    const [writer, reader] = [await fixture.connect(), await fixture.connect()]
    for (let index = 0; index < 100; index++) {
      assert.is((await send(writer, 9, topic, batch([`${index}`]), waitsForAll(index) ? -1 : 1)).baseOffset, index)
      assert.equal(await read(reader, topic.name, index), [`${index}:${index}`])
    }
  })

  test('a duplicate is answered its first offset again, between new batches', async () => {
    const topic = await fixture.topic()
    const client = await fixture.connect()
    const { producerId, producerEpoch } = await client.send(initProducerId, 4, {
      transactionalId: null,
      transactionTimeoutMs: 1000,
    })
    const numbered = (baseSequence: number) => batch(['a', 'b'], { producerId, producerEpoch, baseSequence })
    for (const acks of [-1, 1]) {
      const from = acks === -1 ? 0 : 4
      const sent = [from, from + 2, from, from + 2].map(sequence => send(client, 9, topic, numbered(sequence), acks))
      const answers = await Promise.all(sent)
      assert.equal(
        answers.map(answer => [answer.errorCode, answer.baseOffset]),
        [from, from + 2, from, from + 2].map(offset => [0, offset]),
      )
    }
  })

  test('a refused batch has its error and the batches around it their offsets', async () => {
    const topic = await fixture.topic({ configs: { 'max.message.bytes': '2000' } })
    const client = await fixture.connect()
    const damaged = batch(['a'])
    damaged[damaged.length - 1]! ^= 1
    const sent = [batch(['a']), damaged, batch(['x'.repeat(3000)]), batch(['b'])]
    for (const acks of [1, -1]) {
      const before = await lastOffset(client, topic.name)
      const answers = await Promise.all(sent.map(records => send(client, 9, topic, records, acks)))
      assert.equal(
        answers.map(answer => [answer.errorCode, answer.baseOffset]),
        [
          [0, before],
          [ErrorCode.CORRUPT_MESSAGE, -1],
          [ErrorCode.MESSAGE_TOO_LARGE, -1],
          [0, before + 1],
        ],
      )
    }
  })

  test('a connection that ends before its answers does not hurt the others', async () => {
    const topic = await fixture.topic()
    for (let round = 0; round < 20; round++) {
      const gone = await fixture.connect()
      for (let index = 0; index < 5; index++) send(gone, 9, topic, batch(['a']), 1).catch(() => {})
      await gone.close()
    }
    const client = await fixture.connect()
    const { baseOffset } = await send(client, 9, topic, batch(['last']), waitsForAll(0) ? -1 : 1)
    assert.ok(baseOffset <= 100)
    assert.equal((await read(client, topic.name, baseOffset)).at(0), `${baseOffset}:last`)
  })

  test('a broker that stops under load answers or closes', async () => {
    const own = await startTestBroker({ flush })
    const topic = await own.topic()
    const clients = await Promise.all(Array.from({ length: 4 }, () => own.connect()))
    let stopping = false
    let answered = 0
    const load = clients.map(async client => {
      for (;;) {
        try {
          const { errorCode } = await send(client, 9, topic, batch(['a']), 1)
          if (errorCode === 0) answered++
        } catch (error) {
          assert.ok(stopping, String(error))
          return
        }
      }
    })
    while (answered < 500) await new Promise(resolve => setTimeout(resolve, 1))
    stopping = true
    await own.close()
    await Promise.all(load)
  })

  test.run()
}
