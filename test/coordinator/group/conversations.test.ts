/**
 * The broker answers whole conversations as Apache Kafka did: test/vectors/groups/conversations holds its side of them.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBroker } from '../../../src/index.ts'
import { conversationConfig, converse, type Exchange, warmedUp } from '../../support/conversation.ts'
import { deliberate } from './conversations/deliberate.ts'
import { conversations } from './conversations/index.ts'
import { sayTheSame } from './conversations/words.ts'

const MOMENT_MS = 20
const folder = join(import.meta.dirname, '../../vectors/groups/conversations')

for (const [file, group] of Object.entries(conversations)) {
  const recorded: Record<string, Exchange[]> = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8'))
  const test = suite(`conversations: ${file}`)
  let broker: Awaited<ReturnType<typeof startBroker>>
  test.before(async () => {
    broker = await startBroker({ logger: false, config: { 'auto.create.topics.enable': false, ...conversationConfig } })
    await warmedUp(broker.port)
  })
  test.after(() => broker.close())

  for (const conversation of group) {
    test(conversation.name, async () => {
      const expected = recorded[conversation.id]!.map((exchange, index) => meant(conversation.id, index, exchange))
      const exchanges = await converse(conversation, broker.port, MOMENT_MS)
      assert.equal(differences(exchanges, expected), [])
      assert.is(exchanges.length, expected.length)
    })
  }
  test.run()
}

/** What we are to answer there. */
function meant(id: string, index: number, exchange: Exchange): Exchange {
  const difference = deliberate[id]?.find(each => each.at === index)
  if (difference === undefined) return exchange
  const text = JSON.stringify(exchange.answer)
  assert.ok(text.includes(difference.kafkas), `${id} ${index} was recorded otherwise`)
  return { ...exchange, answer: JSON.parse(text.replace(difference.kafkas, difference.ours)) }
}

/** What was asked, what Apache Kafka answers and what we do, where that differs. */
function differences(ours: readonly Exchange[], kafkas: readonly Exchange[]): string[] {
  const found: string[] = []
  for (const [index, { ask, request, answer }] of ours.entries()) {
    const kafka = kafkas[index]
    if (JSON.stringify([ask, request]) !== JSON.stringify([kafka?.ask, kafka?.request])) {
      found.push(
        `${index}: asks ${ask} ${JSON.stringify(request)}\n   Kafka was asked ${kafka?.ask} ${JSON.stringify(kafka?.request)}`,
      )
      break
    }
    if (isSame(kafka?.answer, answer)) continue
    const said = JSON.stringify(request).slice(0, 400)
    found.push(
      `${index}: ${ask} ${said}\n   Kafka ${JSON.stringify(kafka?.answer)}\n   ours  ${JSON.stringify(answer)}`,
    )
  }
  return found
}

function isSame(kafkas: unknown, ours: unknown, key = ''): boolean {
  if (key === 'errorMessage' && typeof kafkas === 'string' && typeof ours === 'string') return sayTheSame(kafkas, ours)
  if (typeof kafkas !== 'object' || typeof ours !== 'object' || kafkas === null || ours === null) return kafkas === ours
  const names = Object.keys(kafkas)
  if (names.length !== Object.keys(ours).length) return false
  return names.every(name => isSame((kafkas as never)[name], (ours as never)[name], name))
}
