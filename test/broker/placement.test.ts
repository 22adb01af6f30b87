import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Placement } from '../../src/broker/placement.ts'
import type { LogDirectory } from '../../src/log/log.ts'
import { DirectoryId } from '../../src/metadata/records.ts'

const test = suite('placement')

const directory = (id: number, offline = false): LogDirectory => ({ id, offline }) as LogDirectory

const [first, second, failed] = [directory(1), directory(2), directory(3, true)]
const idOf = (number: number): string => `AAAAAAAAAAAAAAAAAAAA${number}A`

const placement = (): Placement =>
  new Placement(
    new Map([
      [first, idOf(1)],
      [second, idOf(2)],
      [failed, idOf(3)],
    ]),
  )

test('a replica goes where the metadata says, and otherwise where the fewest logs are', () => {
  const placed = placement()
  assert.is(placed.directoryFor(idOf(2)), second)
  assert.is(placed.directoryFor(DirectoryId.unassigned), first)
  placed.count(first, 1)
  assert.is(placed.directoryFor(undefined), second)
  placed.count(second, 1)
  placed.moved(second.id, first)
  placed.count(second, 1)
  assert.is(placed.directoryFor(undefined), second)
})

test('a directory that is offline takes none unless the metadata says so', () => {
  const placed = placement()
  placed.count(first, 1)
  placed.count(second, 1)
  assert.is.not(placed.directoryFor(undefined), failed)
  assert.is(placed.directoryFor(idOf(3)), failed)
})

test('a directory that the metadata names and nobody opened is elsewhere, a reserved id is not', () => {
  const placed = placement()
  assert.is(placed.isElsewhere(idOf(9)), true)
  for (const id of [idOf(1), undefined, ...Object.values(DirectoryId)]) assert.is(placed.isElsewhere(id), false)
})

test.run()
