/**
 * What brokers are asked about every key of brokers and topics, one after the other: set to something that it
 * takes and to something that it doesn't, appended to, subtracted from, unset; for one broker and for all.
 *
 * Most is only checked (validate-only): what has been set for good could bring a broker down.
 */

import type { ConfigDefinition } from '../../../src/config/definition.ts'
import { brokerConfigs, topicConfigs } from '../../../src/config/table.ts'
import { type Answer, type Case, Op, PLAIN, type Step, Type } from '../../support/altering.ts'

/** Would make the asked broker listen elsewhere, load classes, or look for files. */
const onlyChecked: ReadonlySet<string> = new Set([
  'config.providers',
  'cordoned.log.dirs',
  'listeners',
  'listener.security.protocol.map',
  'metric.reporters',
  'principal.builder.class',
])

/** Keys for which another value than the default says more, or that have none. */
const values: Readonly<Record<string, string>> = {
  'compression.gzip.level': '5',
  'log.message.timestamp.type': 'LogAppendTime',
  'message.timestamp.type': 'LogAppendTime',
  'max.connections.per.ip.overrides': '127.0.0.9:100',
  'principal.builder.class': 'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
}

const byType: Readonly<Record<string, string>> = { BOOLEAN: 'true', STRING: 'x', CLASS: 'x', PASSWORD: 'x', LIST: 'x' }

function good(definition: ConfigDefinition): string {
  const { name, type, allowed } = definition
  return values[name] ?? (definition.default || allowed.oneOf?.[0] || byType[type] || String(allowed.min ?? 1))
}

function casesOf(type: number, resource: string, whose: string, definition: ConfigDefinition): Case {
  const { name } = definition
  const checked = (op: number, value: string | null): Step => ({
    edit: [[type, resource, [[name, op, value]]]],
    validateOnly: true,
  })
  const steps: Step[] = [
    checked(Op.set, good(definition)),
    checked(Op.set, ' '),
    checked(Op.set, 'no thing'),
    checked(Op.append, good(definition)),
    checked(Op.append, 'no thing'),
    checked(Op.subtract, good(definition)),
    checked(Op.delete, null),
  ]
  const lasting = type === Type.topic || (definition.update !== 'read-only' && !onlyChecked.has(name))
  if (lasting) {
    const describe: Step = { describe: [type, resource, [name]] }
    steps.push({ edit: [[type, resource, [[name, Op.set, good(definition)]]]] }, describe)
    steps.push({ edit: [[type, resource, [[name, Op.delete, null]]]] }, describe)
  }
  return { id: `${whose}: ${name}`, steps }
}

/** Ours alone, for which nobody else has an answer; and what `cases.ts` asks about, since Kafka doesn't list it. */
const isKafkas = ({ name }: ConfigDefinition) =>
  !/^odradek\.|^(leader|follower)\.replication\.throttled\.rate$/.test(name)

export const everyKey: readonly Case[] = [
  ...[...topicConfigs.values()].map(each => casesOf(Type.topic, PLAIN, 'topic', each)),
  ...[...brokerConfigs.values()].filter(isKafkas).map(each => casesOf(Type.broker, '1', 'this broker', each)),
  ...[...brokerConfigs.values()].filter(isKafkas).map(each => casesOf(Type.broker, '', 'all brokers', each)),
]

/** Of an alteration its code, of a description its rows: messages would fill half a megabyte. */
export function brief(answer: Answer): number | Answer {
  const [first, ...rows] = answer
  return first?.length === 2 ? (first[0] as number) : rows
}
