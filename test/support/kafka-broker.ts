/**
 * Apache Kafka as one broker that is its own controller: formatted, started, stopped or killed, on a
 * directory that the caller has.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaJars, kafkaTool } from './kafka.ts'
import { type Finished, type Running, startProgram } from './process.ts'
import { freePort } from './temporary.ts'

/** A directory for one node, its addresses and its settings. */
export interface KafkaSite {
  readonly folder: string
  readonly port: number
  readonly controllerPort: number
  /** `log.dirs`, the first of them with the metadata log. */
  readonly logDirs: readonly string[]
  /** Of the server.properties. */
  readonly properties: string
}

export interface KafkaBroker {
  readonly running: Running
  /** SIGTERM, and the end of the process. */
  stop(): Promise<Finished>
  /** kill -9, and the end of the process. */
  kill(): Promise<Finished>
}

const logging = `
status = error
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %m (%c)%n%ex
logger.server.name = org.apache.kafka.server.AbstractKafkaServer
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = info
`

/**
 * Addresses and a server.properties below `folder`. `settings` win over those that make it small
 * and quick; '' removes one.
 */
export const kafkaSite = async (
  folder: string,
  settings: (controllerPort: number) => Readonly<Record<string, string | number>> = () => ({}),
  directories = 1,
): Promise<KafkaSite> => {
  const [port, controllerPort] = [await freePort(), await freePort()]
  const logDirs = Array.from({ length: directories }, (_, index) => join(folder, `logs${index === 0 ? '' : index}`))
  const all = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `localhost:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': logDirs.join(','),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    ...settings(controllerPort),
  }
  const lines = Object.entries(all).flatMap(([key, value]) => (value === '' ? [] : [`${key}=${value}\n`]))
  mkdirSync(folder, { recursive: true })
  const properties = join(folder, 'server.properties')
  writeFileSync(properties, lines.join(''))
  writeFileSync(join(folder, 'log4j2.properties'), logging)
  return { folder, port, controllerPort, logDirs, properties }
}

/** As `kafka-storage format` does it; `args` by default make a quorum that may grow, of this node alone. */
export const formatKafka = async (site: KafkaSite, args: readonly string[] = ['--standalone']): Promise<void> => {
  const command = ['format', '--cluster-id', 'bWV0YW1vcnBob3Npcy0xOQ', '--config', site.properties, ...args]
  const { code, stdout, stderr } = await kafkaTool('StorageTool', command)
  if (code !== 0) throw new Error(`the format failed:\n${stdout}${stderr}`)
}

/** Resolves when it serves. */
export const startKafka = async (site: KafkaSite): Promise<KafkaBroker> => {
  const running = startProgram('java', [
    ...['-Xmx512M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'],
    `-Dkafka.logs.dir=${site.folder}`,
    `-Dlog4j2.configurationFile=${join(site.folder, 'log4j2.properties')}`,
    ...['-cp', `${kafkaJars()}/*`, 'kafka.Kafka', site.properties],
  ])
  await running.sees(/Kafka Server started/, 60_000)
  return { running, stop: () => running.kill('SIGTERM'), kill: () => running.kill('SIGKILL') }
}
