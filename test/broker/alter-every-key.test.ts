/**
 * Altering each key of brokers and topics in each way, as Apache Kafka 4.3.1 answered it
 * (test/vectors/record/alter-configs.ts): codes, and what is described then.
 */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createPlainTopics, take } from '../support/altering.ts'
import { startTestBroker, type TestBroker } from '../support/broker.ts'
import { inRepository } from '../support/paths.ts'
import type { WireClient } from '../support/wire-client.ts'
import { brief, everyKey } from './altering/every-key.ts'

const altering = suite('alter every key')

const kafka: Record<string, unknown[]> = JSON.parse(
  readFileSync(inRepository('test/vectors/configs/alter-every-key-4.3.1.json'), 'utf8'),
)

/** Why Kafka takes a key that is read-only here, or answers otherwise: by what the keys begin with. */
const differences: readonly (readonly [string, string])[] = [
  ['background.threads', 'there are no such threads'],
  ['num.io.threads', 'there are no such threads'],
  ['num.network.threads', 'there are no such threads'],
  ['config.providers', 'Java classes cannot be loaded'],
  ['metric.reporters', 'Java classes cannot be loaded'],
  ['principal.builder.class', 'Java classes cannot be loaded'],
  ['controller.listener.names', 'Kafka fails to edit it, with a defect of its own'],
  ['process.roles', 'Kafka fails to edit it, with a defect of its own'],
  ['cordoned.log.dirs', 'no directory can be cordoned'],
  ['group.coordinator.cached.buffer.max.bytes', 'no such buffer is kept'],
  ['group.share.', 'there are no share groups'],
  ['share.coordinator.', 'there are no share groups'],
  ['group.streams.', 'there are no streams groups'],
  ['listener.security.protocol.map', 'listeners are bound once, at the start'],
  ['max.connection.creation.rate', 'nobody counts how fast connections come'],
  ['max.connections.per.ip.overrides', 'no address has a limit of its own'],
  ['num.recovery.threads.per.data.dir', "the recorded broker's file had no line for it"],
  ['sasl.', 'SASL is not served'],
  ['ssl.', 'TLS is not served'],
  ['transaction.partition.verification.enable', 'no transaction is verified'],
]

let broker: TestBroker
let client: WireClient

altering.before(async () => {
  broker = await startTestBroker()
  client = await broker.connect()
  await createPlainTopics(client)
})

altering.after(() => broker.close())

const met = new Set<string>()

for (const whose of ['topic', 'this broker', 'all brokers']) {
  altering(`${whose}: answers as Kafka does, but for what is listed`, async () => {
    const cases = everyKey.filter(({ id }) => id.startsWith(`${whose}: `))
    assert.ok(cases.length > 30)
    for (const { id, steps } of cases) {
      const answers = []
      for (const step of steps) answers.push(brief(await take(client, step)))
      if (JSON.stringify(answers) === JSON.stringify(kafka[id])) continue
      const listed = differences.find(([begin]) => id.startsWith(`${whose}: ${begin}`))
      if (listed === undefined) assert.equal(answers, kafka[id], id)
      else met.add(listed[0])
    }
  })
}

altering('nothing is listed that answers as Kafka does', () => {
  assert.equal(
    differences.filter(([begin]) => !met.has(begin)),
    [],
  )
})

altering.run()
