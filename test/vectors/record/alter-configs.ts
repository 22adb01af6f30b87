/**
 * Asks Apache Kafka what test/broker/altering/cases.ts asks, and writes down what it answers:
 *
 *   node test/vectors/record/alter-configs.ts PORT
 *
 * The broker is on this machine, single, with id 1, fresh, and configured by Kafka's shipped server.properties. The kept
 * answers are those of Apache Kafka 4.3.1.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cases } from '../../broker/altering/cases.ts'
import { type Answer, createPlainTopics, take } from '../../support/altering.ts'
import { WireClient } from '../../support/wire-client.ts'

/** Between an answer and the moment when all of Kafka knows it. */
const SETTLE_MS = 200

async function record(port: number): Promise<void> {
  const client = await WireClient.connect(port)
  const settle = () => new Promise(resolve => setTimeout(resolve, SETTLE_MS))
  await createPlainTopics(client)
  await settle()
  const lines: string[] = []
  for (const { id, steps } of cases) {
    const answers: Answer[] = []
    for (const step of steps) {
      answers.push(await take(client, step))
      if ('edit' in step || 'replace' in step) await settle()
    }
    lines.push(`${JSON.stringify(id)}: ${JSON.stringify(answers)}`)
  }
  await client.close()
  writeFileSync(join(import.meta.dirname, '../configs/alter-4.3.1.json'), `{\n${lines.join(',\n')}\n}\n`)
  console.log(`${cases.length} cases`)
}

const [port] = process.argv.slice(2)
if (port === undefined) console.error('usage: alter-configs.ts PORT')
else await record(Number(port))
