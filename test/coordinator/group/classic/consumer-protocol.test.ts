import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  consumerProtocolVersion,
  decodeAssignment,
  decodeSubscribedTopics,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../../src/coordinator/group/classic/consumer-protocol.ts'
import { ProtocolError } from '../../../../src/protocol/protocol-error.ts'

const test = suite('consumer protocol')

const refused = (error: Error) => error instanceof ProtocolError

const full = {
  topics: ['flights', 'gates'],
  userData: Uint8Array.of(1, 2),
  ownedPartitions: [{ topic: 'flights', partitions: [0, 2] }],
  generationId: 7,
  rackId: 'r1',
}

test('a subscription reads as it was written when its version has a place for the field', () => {
  assert.equal(decodeSubscription(encodeSubscription(3, full)), full)
  assert.equal(decodeSubscription(encodeSubscription(2, full)), { ...full, rackId: null })
  assert.equal(decodeSubscription(encodeSubscription(1, full)), { ...full, rackId: null, generationId: -1 })
  assert.equal(decodeSubscription(encodeSubscription(0, full)), {
    ...full,
    rackId: null,
    generationId: -1,
    ownedPartitions: [],
  })
})

test('an assignment has the same bytes in every version but for the version itself', () => {
  const assignment = { assignedPartitions: [{ topic: 't', partitions: [1, 5] }], userData: null }
  const bytes = encodeAssignment(0, assignment)
  assert.equal([...bytes], [0, 0, 0, 0, 0, 1, 0, 1, 116, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 5, 255, 255, 255, 255])
  for (const version of [1, 2, 3]) {
    const later = encodeAssignment(version, assignment)
    assert.is(consumerProtocolVersion(later), version)
    assert.equal(later.subarray(2), bytes.subarray(2))
    assert.equal(decodeAssignment(later), assignment)
  }
})

test('a later version is read as the latest known when its beginning is the same', () => {
  const bytes = new Uint8Array([...encodeSubscription(9, full), 1, 2, 3])
  assert.is(consumerProtocolVersion(bytes), 3)
  bytes[1] = 9
  assert.is(consumerProtocolVersion(bytes), 9)
  assert.equal(decodeSubscription(bytes), full)
})

test('the topics are read when the version is negative, as Kafka does, and nothing else is', () => {
  const bytes = encodeSubscription(3, full)
  bytes[0] = 0xff
  assert.equal(decodeSubscribedTopics(bytes), ['flights', 'gates'])
  assert.throws(() => decodeSubscription(bytes), refused)
  assert.throws(() => encodeAssignment(-1, { assignedPartitions: [] }), refused)
})

test('any bytes are read or refused when they are no subscription', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      for (const read of [decodeSubscription, decodeSubscribedTopics, decodeAssignment]) {
        try {
          read(bytes)
        } catch (error) {
          assert.ok(refused(error as Error), String(error))
        }
      }
    }),
  )
})

test.run()
