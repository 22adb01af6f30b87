/**
 * Apache Kafka on this machine: where its jars are and how one of its programs is run. Fetched by
 * scripts/kafka-fetch.mjs; nothing here writes.
 */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Finished, runProgram } from './process.ts'

/** The folder that holds the jars, or undefined when they were never fetched. `ODRADEK_KAFKA_LIBS` names another. */
export const kafkaJars = (): string | undefined => {
  const folder = process.env.ODRADEK_KAFKA_LIBS ?? join(homedir(), '.cache', 'odradek-lab', 'kafka', 'libs')
  return existsSync(folder) ? folder : undefined
}

const packages: Record<string, string> = {
  ConsoleConsumer: 'org.apache.kafka.tools.consumer',
  ConfigCommand: 'kafka.admin',
  StorageTool: 'kafka.tools',
}

export const javaArguments = (
  className: string,
  args: readonly string[],
  classPath: readonly string[] = [],
): string[] => {
  const libs = kafkaJars()
  if (libs === undefined) throw new Error('Apache Kafka is not here: run scripts/kafka-fetch.mjs')
  const full = className.includes('.') ? className : `${packages[className] ?? 'org.apache.kafka.tools'}.${className}`
  return [
    ...['-Xmx512M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'],
    ...['-cp', [...classPath, `${libs}/*`].join(':'), full],
    ...args,
  ]
}

/** Runs one of Kafka's command-line tools by class name, short or full. */
export const kafkaTool = (
  className: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number } = {},
): Promise<Finished> => runProgram('java', javaArguments(className, args), options)
