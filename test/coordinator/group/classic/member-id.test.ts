/** Ids of classic members: unlike each other, and fit to be sent back, whatever the client calls itself. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newMemberId } from '../../../../src/coordinator/group/classic/member-id.ts'
import { SimulatedHost } from '../../../../src/host/simulated.ts'

const test = suite('member ids')
const { random } = new SimulatedHost({ seed: 1 })

const encoder = new TextEncoder()
const decoder = new TextDecoder()

test('an id begins with who asks and ends with a random UUID', () => {
  const id = newMemberId(random, 'client')
  assert.match(id, /^client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.is.not(newMemberId(random, 'client'), id)
})

test('an id fits a string and comes back as it was when the client has a name of any length and characters', () => {
  const prefix = fc.tuple(fc.constantFrom('', 'a', 'é', '€', '😀'), fc.constantFrom('x', 'é', '€', '😀'))
  fc.assert(
    fc.property(prefix, fc.integer({ min: 0, max: 32767 }), ([first, character], length) => {
      const id = newMemberId(random, `${first}${character.repeat(length / character.length)}`)
      const bytes = encoder.encode(id)
      assert.ok(bytes.length <= 32767)
      assert.is(decoder.decode(bytes), id)
    }),
  )
})

test.run()
