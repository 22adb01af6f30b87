/**
 * Asks Apache Kafka what test/support/reassigning.ts asks, and writes down what it answers:
 *
 *   node test/vectors/record/reassignments.ts PORT CONTROLLER_PORT
 *
 * The broker is on this machine, single, with id 1, its own controller, fresh, and configured by Kafka's shipped
 * server.properties. The kept answers are those of Apache Kafka 4.3.1.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { metadata } from '../../../src/protocol/apis/03-metadata.ts'
import { apiVersions } from '../../../src/protocol/apis/18-api-versions.ts'
import { type Answer, type Controller, cases, secondBroker, take } from '../../support/reassigning.ts'
import { WireClient } from '../../support/wire-client.ts'

/** Between an answer and the moment when all of Kafka knows it. */
const SETTLE_MS = 100

async function record(port: number, controllerPort: number): Promise<void> {
  const broker = await WireClient.connect(port)
  const controller = await WireClient.connect(controllerPort)
  const software = { clientSoftwareName: 'recorder', clientSoftwareVersion: '1' }
  const { finalizedFeatures } = await broker.send(apiVersions, 3, software)
  const show = (topics: { name: string }[]) => broker.send(metadata, 12, { topics, allowAutoTopicCreation: false })
  const kafka: Controller = {
    clusterId: (await show([])).clusterId as string,
    features: new Map(finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel])),
    ask: (api, version, request) => {
      const internal = [62, 63].includes(api.key)
      return (internal ? controller : broker).send(api, version, request)
    },
    partitions: async name => {
      const { topics } = await show([{ name }])
      const partitions = [...topics[0]!.partitions].sort((a, b) => a.partitionIndex - b.partitionIndex)
      return partitions.map(each => [each.replicaNodes, each.isrNodes, each.leaderId, each.leaderEpoch])
    },
  }
  const settle = () => new Promise<void>(resolve => setTimeout(resolve, SETTLE_MS))
  const beat = await secondBroker(kafka)
  await settle()
  const lines: string[] = []
  for (const each of cases) {
    const answers: Answer[] = await take(kafka, each, beat, settle)
    lines.push(`${JSON.stringify(each.id)}: ${JSON.stringify(answers)}`)
  }
  await broker.close()
  await controller.close()
  writeFileSync(join(import.meta.dirname, '../reassignments/kafka-4.3.1.json'), `{\n${lines.join(',\n')}\n}\n`)
  console.log(`${cases.length} cases`)
}

const [port, controllerPort] = process.argv.slice(2)
if (controllerPort === undefined) console.error('usage: reassignments.ts PORT CONTROLLER_PORT')
else await record(Number(port), Number(controllerPort))
