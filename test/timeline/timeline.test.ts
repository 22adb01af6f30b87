import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TimelineMap } from '../../src/timeline/map.ts'
import { Timeline } from '../../src/timeline/timeline.ts'
import { TimelineValue } from '../../src/timeline/value.ts'

const test = suite('timeline')

test('a revert brings back values that were set, replaced and deleted after the mark', () => {
  const timeline = new Timeline()
  const map = new TimelineMap<string, number>(timeline)
  const value = new TimelineValue(timeline, 'first')
  map.set('kept', 1).set('replaced', 2).set('deleted', 3)
  const { mark } = timeline
  map.set('replaced', 20).set('added', 4)
  assert.is(map.delete('deleted'), 3)
  value.value = 'second'
  timeline.revertTo(mark)
  assert.equal([...map].sort(), [
    ['deleted', 3],
    ['kept', 1],
    ['replaced', 2],
  ])
  assert.is(value.value, 'first')
})

test('a cleared map comes back', () => {
  const timeline = new Timeline()
  const map = new TimelineMap<string, number>(timeline)
  map.set('a', 1).set('b', 2)
  const { mark } = timeline
  map.clear()
  assert.is(map.size, 0)
  timeline.revertTo(mark)
  assert.is(map.size, 2)
})

test('what changes nothing is not remembered', () => {
  const timeline = new Timeline()
  const map = new TimelineMap<string, number>(timeline)
  const value = new TimelineValue(timeline, 1)
  map.delete('a')
  map.set('a', 1)
  timeline.forget(timeline.mark)
  map.set('a', 1)
  value.value = 1
  assert.is(timeline.pending, 0)
})

test('what is forgotten can not be reverted, nor what was reverted already', () => {
  const timeline = new Timeline()
  const map = new TimelineMap<string, number>(timeline)
  const start = timeline.mark
  map.set('a', 1)
  const one = timeline.mark
  map.set('a', 2)
  const two = timeline.mark
  timeline.forget(one)
  assert.throws(() => timeline.revertTo(start))
  assert.throws(() => timeline.forget(start))
  timeline.revertTo(one)
  assert.is(map.get('a'), 1)
  assert.throws(() => timeline.revertTo(two))
})

test('marks stay right when many changes are forgotten', () => {
  const timeline = new Timeline()
  const map = new TimelineMap<number, number>(timeline)
  const marks: number[] = []
  for (let index = 0; index < 5_000; index++) {
    marks.push(timeline.mark)
    map.set(index % 7, index)
    if (index >= 2_000) timeline.forget(marks[index - 2_000] as number)
  }
  assert.is(timeline.pending, 2_001)
  timeline.revertTo(marks[4_000] as number)
  assert.equal(
    [...map].map(([key, value]) => [key, value]).sort((a, b) => (a[1] as number) - (b[1] as number)),
    Array.from({ length: 7 }, (_, index) => [(3_993 + index) % 7, 3_993 + index]),
  )
})

type Step =
  | { kind: 'set'; key: number; value: number }
  | { kind: 'delete'; key: number }
  | { kind: 'clear' }
  | { kind: 'assign'; value: number }
  | { kind: 'mark' }
  | { kind: 'revert'; to: number }
  | { kind: 'forget'; to: number }

const small = fc.integer({ min: 0, max: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), key: small, value: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('assign' as const), value: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('mark' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('revert' as const), to: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('forget' as const), to: fc.nat() }) },
)

test('after any changes, reverts and commits the state is that of copies taken at the marks', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), steps => {
      const timeline = new Timeline()
      const map = new TimelineMap<number, number>(timeline)
      const value = new TimelineValue(timeline, 0)
      const state = () => ({ map: [...map].sort(([a], [b]) => a - b), value: value.value })
      let marks: { mark: number; copy: ReturnType<typeof state> }[] = []
      for (const each of steps) {
        if (each.kind === 'set') map.set(each.key, each.value)
        else if (each.kind === 'delete') map.delete(each.key)
        else if (each.kind === 'clear') map.clear()
        else if (each.kind === 'assign') value.value = each.value
        else if (each.kind === 'mark') marks.push({ mark: timeline.mark, copy: state() })
        else if (marks.length > 0) {
          const at = each.to % marks.length
          const { mark, copy } = marks[at] as (typeof marks)[number]
          if (each.kind === 'revert') {
            timeline.revertTo(mark)
            assert.equal(state(), copy)
            marks = marks.slice(0, at + 1)
          } else {
            timeline.forget(mark)
            assert.equal(timeline.pending, timeline.mark - mark)
            marks = marks.slice(at)
          }
        }
      }
    }),
  )
})

test.run()
