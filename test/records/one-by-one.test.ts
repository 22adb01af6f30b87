import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { BatchView } from '../../src/records/batch.ts'
import { BatchWriter, recordBytes } from '../../src/records/batch-writer.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { RecordError } from '../../src/records/iterate.ts'
import { RecordReader } from '../../src/records/record-reader.ts'

const test = suite('records one by one')

const bytes = fc.uint8Array({ maxLength: 300 })
const record = fc.record({ key: bytes, value: fc.option(bytes) }, { noNullPrototype: true })
const records = fc.array(record, { minLength: 1, maxLength: 200 })
const options = { baseOffset: 1234, leaderEpoch: 7, timestamp: 1_700_000_000_000n }

const read = (batch: BatchView) => {
  const reader = new RecordReader()
  reader.begin(batch)
  const found = []
  while (reader.next()) found.push({ offset: reader.offset, key: reader.key, value: reader.value })
  return found
}

test('a batch written record by record is the one that is built at once, and its size was known', () => {
  fc.assert(
    fc.property(records, inputs => {
      const writer = new BatchWriter()
      let size = writer.size
      for (const { key, value } of inputs) {
        size += recordBytes(key, value, writer.count)
        writer.add(key, value)
        assert.is(writer.size, size)
      }
      assert.equal(writer.finish(options), buildBatch(inputs, options))
    }),
  )
})

test('an empty batch is not finished', () => {
  assert.throws(
    () => new BatchWriter().finish(options),
    (error: unknown) => error instanceof RangeError,
  )
})

test('the reader finds what was built, headers and timestamps passed over', () => {
  const more = fc.record(
    {
      key: fc.option(bytes),
      value: fc.option(bytes),
      timestamp: fc.bigInt({ min: 0n, max: 1n << 60n }),
      headers: fc.array(fc.record({ key: bytes, value: fc.option(bytes) }), { maxLength: 3 }),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(fc.array(more, { minLength: 1, maxLength: 20 }), inputs => {
      const batch = BatchView.at(buildBatch(inputs, options), 0) as BatchView
      assert.equal(
        read(batch),
        inputs.map(({ key, value }, index) => ({ offset: 1234 + index, key, value })),
      )
    }),
  )
})

test('any change of a byte of the records ends in an error or in other records, never in a read beyond them', () => {
  const inputs = [
    { key: new Uint8Array([1, 2, 3]), value: new Uint8Array(300), headers: [{ key: new Uint8Array(3), value: null }] },
    { key: null, value: new Uint8Array([9]) },
  ]
  const whole = buildBatch(inputs, options)
  fc.assert(
    fc.property(fc.integer({ min: 57, max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = new Uint8Array(whole.length + 100)
      changed.set(whole)
      changed[at] = byte
      try {
        for (const { key, value } of read(BatchView.at(changed, 0) as BatchView)) {
          for (const field of [key, value]) {
            if (field !== null) assert.ok(field.byteOffset + field.length <= whole.length)
          }
        }
      } catch (error) {
        assert.instance(error, RecordError)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a compressed batch is refused', () => {
  const batch = buildBatch([{ key: null, value: null }], options)
  batch[22] = 2
  assert.throws(
    () => read(BatchView.at(batch, 0) as BatchView),
    (error: unknown) => error instanceof RecordError,
  )
})

test.run()
