import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { PersistentMap } from '../../src/base/persistent-map.ts'

const test = suite('PersistentMap')

const steps = fc.array(
  fc.record({
    key: fc.oneof(fc.string({ maxLength: 3 }), fc.nat({ max: 40 }).map(String)),
    value: fc.option(fc.nat()),
  }),
  { maxLength: 300 },
)

test('it holds what a Map holds after the same changes, and older versions stay as they were', () => {
  fc.assert(
    fc.property(steps, changes => {
      let map = PersistentMap.of<string, number>()
      const model = new Map<string, number>()
      const versions: [PersistentMap<string, number>, Map<string, number>][] = []
      for (const { key, value } of changes) {
        if (value === null) {
          map = map.without(key)
          model.delete(key)
        } else {
          map = map.with(key, value)
          model.set(key, value)
        }
        versions.push([map, new Map(model)])
      }
      for (const [version, expected] of versions) {
        assert.is(version.size, expected.size)
        assert.equal(new Map(version), expected)
        for (const [key, value] of expected) assert.is(version.get(key), value)
        assert.is(version.get('absent key'), undefined)
      }
    }),
  )
})

test('without returns the same map when the key is not there', () => {
  const map = PersistentMap.of<string, number>().with('a', 1)
  assert.is(map.without('b'), map)
})

test('keys whose hashes agree are kept apart', () => {
  // Numbers that differ by a multiple of 2^32 share a hash.
  let map = PersistentMap.of<number, number>()
  for (let i = 0; i < 40; i++) map = map.with(7 + i * 2 ** 32, i)
  assert.is(map.size, 40)
  for (let i = 0; i < 40; i++) assert.is(map.get(7 + i * 2 ** 32), i)
  for (let i = 0; i < 40; i += 2) map = map.without(7 + i * 2 ** 32)
  assert.equal(
    [...map.values()].sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => 2 * i + 1),
  )
})

test.run()
