import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { PartitionImage } from '../../src/metadata/image.ts'
import { shared } from '../../src/metadata/shared-partition.ts'

const test = suite('metadata/shared-partition')

const image = (change: Partial<PartitionImage> = {}): PartitionImage => ({
  replicas: [1, 2],
  directories: ['a', 'b'],
  isr: [1, 2],
  removingReplicas: [],
  addingReplicas: [],
  elr: [],
  lastKnownElr: [],
  leader: 1,
  leaderRecoveryState: 0,
  leaderEpoch: 3,
  partitionEpoch: 4,
  ...change,
})

test('partitions that say the same are one object', () => {
  assert.is(shared(image()), shared(image()))
})

test('partitions that differ in any field are two', () => {
  const changes: Partial<PartitionImage>[] = [
    { replicas: [12] },
    { directories: ['a', 'c'] },
    { isr: [2, 1] },
    { removingReplicas: [1] },
    { addingReplicas: [1] },
    { elr: [1] },
    { lastKnownElr: [1] },
    { leader: 2 },
    { leaderRecoveryState: 1 },
    { leaderEpoch: 4 },
    { partitionEpoch: 5 },
  ]
  for (const change of changes) {
    const wanted = image(change)
    assert.is.not(shared(wanted), shared(image()))
    assert.equal(shared(image(change)), wanted)
  }
})

test('after thousands of different ones it still gives what was asked for', () => {
  for (let leaderEpoch = 0; leaderEpoch < 5000; leaderEpoch++)
    assert.is(shared(image({ leaderEpoch })).leaderEpoch, leaderEpoch)
})

test.run()
