import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isUuid, randomUuid, uuidFromBytes, uuidToBytes, ZERO_UUID } from '../../src/base/uuid.ts'

const test = suite('uuid')

test('bytes and text say the same when turned into each other', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
      const text = uuidFromBytes(bytes)
      assert.is(text, Buffer.from(bytes).toString('base64url'))
      const back = new Uint8Array(18)
      uuidToBytes(text, back, 1)
      assert.equal(back.subarray(1, 17), bytes)
      assert.ok(isUuid(text))
    }),
  )
})

test('the zero UUID is sixteen zero bytes', () => {
  assert.is(uuidFromBytes(new Uint8Array(16)), ZERO_UUID)
})

test('text that is no UUID is refused', () => {
  const refused = [
    '',
    'A',
    'A'.repeat(21),
    'A'.repeat(23),
    `${'A'.repeat(21)}=`,
    `${'A'.repeat(21)}B`,
    `${'A'.repeat(21)}é`,
  ]
  for (const text of refused) {
    assert.not.ok(isUuid(text), text)
    assert.throws(() => uuidToBytes(text, new Uint8Array(16)), /not a UUID/)
  }
})

test('a random UUID is of version 4 and never begins with a dash', () => {
  const drawn = [new Uint8Array(16).fill(0xfb), new Uint8Array(16).fill(0x31)]
  const text = randomUuid({ bytes: () => drawn.shift() as Uint8Array })
  assert.equal(drawn, [], 'the first one begins with a dash')
  const bytes = new Uint8Array(16)
  uuidToBytes(text, bytes)
  assert.equal([bytes[0], bytes[6], bytes[8]], [0x31, 0x41, 0xb1])
})

test.run()
