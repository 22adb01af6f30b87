/**
 * Asks Apache Kafka what test/broker/altering asks, and writes down what it answers:
 *
 *   node test/vectors/record/alter-configs.ts PORT [cases | every-key]
 *
 * The broker is on this machine, single, with id 1, fresh, and configured by Kafka's shipped server.properties. The
 * kept answers are those of Apache Kafka 4.3.1.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cases } from '../../broker/altering/cases.ts'
import { brief, everyKey } from '../../broker/altering/every-key.ts'
import { type Answer, type Case, createPlainTopics, take } from '../../support/altering.ts'
import { WireClient } from '../../support/wire-client.ts'

/** Between an answer and the moment when all of Kafka knows it. */
const SETTLE_MS = 200

const files: Readonly<Record<string, [readonly Case[], string, (answer: Answer) => unknown]>> = {
  cases: [cases, 'alter-4.3.1.json', answer => answer],
  'every-key': [everyKey, 'alter-every-key-4.3.1.json', brief],
}

async function record(port: number, [cases, file, kept]: (typeof files)[string] & object): Promise<void> {
  const client = await WireClient.connect(port)
  const settle = () => new Promise(resolve => setTimeout(resolve, SETTLE_MS))
  await createPlainTopics(client)
  await settle()
  const lines: string[] = []
  for (const { id, steps } of cases) {
    const answers: Answer[] = []
    for (const step of steps) {
      answers.push(await take(client, step))
      if (('edit' in step || 'replace' in step) && step.validateOnly !== true) await settle()
    }
    lines.push(`${JSON.stringify(id)}: ${JSON.stringify(answers.map(kept))}`)
  }
  await client.close()
  writeFileSync(join(import.meta.dirname, '../configs', file), `{\n${lines.join(',\n')}\n}\n`)
  console.log(`${cases.length} cases`)
}

const [port, which = 'cases'] = process.argv.slice(2)
const asked = files[which]
if (port === undefined || asked === undefined) console.error('usage: alter-configs.ts PORT [cases | every-key]')
else await record(Number(port), asked)
