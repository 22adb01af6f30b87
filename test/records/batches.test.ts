import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { BatchView, batchesOf, Field } from '../../src/records/batch.ts'
import type { RecordInput } from '../../src/records/builder.ts'
import { buildBatch, recordBytesAtMost } from '../../src/records/builder.ts'
import { RecordError, recordsOf } from '../../src/records/iterate.ts'

const test = suite('record batches')

const field = fc.option(fc.uint8Array({ maxLength: 200 }))
const timestamp = fc.bigInt({ min: -(1n << 62n), max: (1n << 62n) - 1n })
const plain = { noNullPrototype: true }
const header = fc.record({ key: fc.uint8Array({ maxLength: 20 }), value: field }, plain)
const record = fc.record({ key: field, value: field, timestamp, headers: fc.array(header, { maxLength: 4 }) }, plain)
const records = fc.array(record, { minLength: 1, maxLength: 30 })
const options = { baseOffset: 1234, leaderEpoch: 7, timestamp: 1_700_000_000_000n }

test('what was built is read again, with offsets that count up', () => {
  fc.assert(
    fc.property(records, inputs => {
      const bytes = buildBatch(inputs, options)
      const batch = BatchView.at(bytes, 0)!
      assert.ok(batch.isIntact)
      assert.is(batch.size, bytes.length)
      assert.is(batch.count, inputs.length)
      assert.is(batch.lastOffset, 1233 + inputs.length)
      assert.is(batch.leaderEpoch, 7)
      const max = inputs.map(each => each.timestamp).sort((a, b) => (a < b ? 1 : -1))[0]
      assert.is(batch.maxTimestamp, max)
      const found = [...recordsOf(batch)]
      assert.equal(
        found,
        inputs
          .map((input, index) => ({ ...input, offset: 1234 + index }))
          .map(({ offset, timestamp: at, key, value, headers }) => ({
            offset,
            timestamp: at,
            key,
            value,
            headers,
          })),
      )
    }),
  )
})

test('a record takes no more bytes than was said', () => {
  fc.assert(
    fc.property(records, inputs => {
      const most = inputs.reduce((sum, input) => sum + recordBytesAtMost(input), 61)
      assert.ok(buildBatch(inputs, options).length <= most)
    }),
  )
})

test('any change of a byte of the records ends in an error or in other records, never in a read beyond them', () => {
  const inputs: RecordInput[] = [
    { key: new Uint8Array([1, 2, 3]), value: new Uint8Array(300), headers: [{ key: new Uint8Array(3), value: null }] },
    { key: null, value: new Uint8Array([9]) },
  ]
  const bytes = buildBatch(inputs, options)
  for (let at = 61; at < bytes.length; at++) {
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
      const broken = bytes.slice()
      broken[at] = value
      const batch = BatchView.at(broken, 0)!
      try {
        for (const { key, value: content } of recordsOf(batch))
          assert.ok((key?.length ?? 0) + (content?.length ?? 0) < bytes.length)
      } catch (error) {
        assert.instance(error, RecordError)
      }
    }
  }
})

test('a count that the records do not have is an error', () => {
  for (const count of [0, 1, 3, 2 ** 31 - 1]) {
    const bytes = buildBatch(
      [
        { key: null, value: null },
        { key: null, value: null },
      ],
      options,
    )
    new DataView(bytes.buffer).setInt32(Field.count, count)
    assert.throws(
      () => [...recordsOf(BatchView.at(bytes, 0)!)],
      (error: Error) => error instanceof RecordError,
    )
  }
})

test('a batch that the bytes cut short is not seen', () => {
  const one = buildBatch([{ key: null, value: new Uint8Array(5) }], options)
  const two = new Uint8Array([...one, ...one])
  for (let length = 0; length < two.length; length++) {
    assert.is([...batchesOf(two.subarray(0, length))].length, length < one.length ? 0 : 1)
  }
  assert.is([...batchesOf(two)].length, 2)
})

test('a length that lies is not followed', () => {
  for (const length of [-1, 0, 48, 2 ** 31 - 1]) {
    const bytes = buildBatch([{ key: null, value: null }], options)
    new DataView(bytes.buffer).setInt32(Field.length, length)
    assert.is(BatchView.at(bytes, 0), undefined)
  }
})

test('a compressed batch needs its payload inflated by the caller', () => {
  const bytes = buildBatch([{ key: null, value: new Uint8Array([5]) }], options)
  const plain = bytes.slice(61)
  new DataView(bytes.buffer).setInt16(Field.attributes, 4)
  const batch = BatchView.at(bytes, 0)!
  assert.throws(() => [...recordsOf(batch)], /is compressed/)
  assert.equal([...recordsOf(batch, plain)][0]!.value, new Uint8Array([5]))
})

test('under LogAppendTime every record has the time of the append', () => {
  const bytes = buildBatch(
    [
      { key: null, value: null, timestamp: 5n },
      { key: null, value: null, timestamp: 9n },
    ],
    options,
  )
  new DataView(bytes.buffer).setInt16(Field.attributes, 8)
  assert.equal(
    Array.from(recordsOf(BatchView.at(bytes, 0)!), each => each.timestamp),
    [9n, 9n],
  )
})

test.run()
