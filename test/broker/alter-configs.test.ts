/** Altering configs, as Apache Kafka 4.3.1 answered it (test/vectors/record/alter-configs.ts). */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { type Answer, createPlainTopics, type Edits, Op, PLAIN, Type, take } from '../support/altering.ts'
import { startTestBroker, type TestBroker } from '../support/broker.ts'
import { inRepository } from '../support/paths.ts'
import type { WireClient } from '../support/wire-client.ts'
import { cases } from './altering/cases.ts'

const altering = suite('alter configs')

const kafka: Record<string, Answer[]> = JSON.parse(
  readFileSync(inRepository('test/vectors/configs/alter-4.3.1.json'), 'utf8'),
)

let broker: TestBroker
let client: WireClient

altering.before(async () => {
  broker = await startTestBroker()
  client = await broker.connect()
  await createPlainTopics(client)
})

altering.after(() => broker.close())

/** Codes, values and sources are Kafka's; of a message only whether there is one: the words are ours. */
function comparable(answers: readonly Answer[]): unknown {
  const isOutcome = (row: Answer[number]) => row.length === 2 && typeof row[0] === 'number' && row[0] !== 2
  return answers.map(answer => answer.map(row => (isOutcome(row) ? [row[0], row[1] !== null] : row)))
}

for (const { id, steps, differs } of cases) {
  altering(`answers as Kafka does when asked: ${id}`, async () => {
    const answers: Answer[] = []
    for (const step of steps) answers.push(await take(client, step))
    if (differs === undefined) assert.equal(comparable(answers), comparable(kafka[id]!))
    else assert.not.equal(comparable(answers), comparable(kafka[id]!), `it differs: ${differs}`)
  })
}

altering('names and values that fill their place are refused with an answer', async () => {
  const long = 'ü'.repeat(16_383)
  const asked: [Edits, number][] = [
    [[Type.topic, PLAIN, [['retention.ms', Op.set, long]]], ErrorCode.INVALID_CONFIG],
    [[Type.topic, PLAIN, [[long, Op.set, '1']]], ErrorCode.INVALID_CONFIG],
    [[Type.topic, long, []], ErrorCode.INVALID_TOPIC_EXCEPTION],
    [[Type.broker, '', [long, `${long}a`].map(key => [key, Op.set, '1'])], ErrorCode.INVALID_REQUEST],
    [[Type.broker, long, []], ErrorCode.INVALID_REQUEST],
    [[Type.group, 'g', [[long, Op.set, '1']]], ErrorCode.INVALID_CONFIG],
    [[Type.metrics, 'm', [['match', Op.set, long]]], ErrorCode.INVALID_CONFIG],
    [[Type.logger, '1', [[long, Op.set, '1']]], ErrorCode.INVALID_CONFIG],
  ]
  for (const [edits, code] of asked) assert.is((await take(client, { edit: [edits] }))[0]?.[0], code)
})

altering.run()
