import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { partitionFor } from '../../src/coordinator/partition-for.ts'

const test = suite('partition of a key')

test('a key is placed by the hash that Java gives its text', () => {
  const hashes: [string, number][] = [
    ['', 0],
    ['a', 97],
    ['hello', 99162322],
    ['console-consumer-1', 35782224],
    ['ä€😀', 16603051],
  ]
  for (const [key, hash] of hashes) assert.is(partitionFor(key, 2147483647), hash, key)
  assert.is(partitionFor('hello', 50), 22)
})

test('a hash below zero loses its sign, and the smallest of all is 0', () => {
  assert.is(partitionFor('polygenelubricants', 50), 0)
  assert.is(partitionFor('orders', 50), 31)
})

test('every key has a partition that exists when there are any', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 10_000 }), (key, partitions) => {
      const partition = partitionFor(key, partitions)
      assert.ok(Number.isInteger(partition) && partition >= 0 && partition < partitions)
    }),
  )
})

test.run()
