import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Marks } from '../../src/partition/marks.ts'

const test = suite('partition/marks')

test('drop gives the bytes of the last end at or below the limit and forgets those it passed', () => {
  const marks = new Marks()
  for (const end of [3, 7, 9]) marks.add(end, end * 100)
  assert.is(marks.drop(2), undefined)
  assert.is(marks.size, 3)
  assert.is(marks.drop(8), 700)
  assert.is(marks.size, 1)
  assert.is(marks.drop(9), 900)
  assert.is(marks.size, 0)
  assert.is(marks.drop(100), undefined)
})

test('any order of additions and drops answers as a plain list does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 5 })), { maxLength: 60 }), steps => {
      const marks = new Marks()
      let list: [number, number][] = []
      let end = 0
      let limit = 0
      for (const [adds, by] of steps) {
        if (adds) {
          end += by
          list.push([end, end * 10])
          marks.add(end, end * 10)
        } else {
          limit = Math.min(end, limit + by)
          const passed = list.filter(([at]) => at <= limit)
          list = list.filter(([at]) => at > limit)
          assert.is(marks.drop(limit), passed.at(-1)?.[1])
        }
        assert.is(marks.size, list.length)
      }
    }),
  )
})

test.run()
