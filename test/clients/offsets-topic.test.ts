/**
 * `__consumer_offsets` as Kafka's own formatters and DumpLogSegments read it: every kind of record that a classic group
 * and a consumer group leave behind, and its tombstone, decodes.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Jvm, startJvm } from '../support/jvm.ts'
import { requires, skip } from '../support/requires.ts'
import { eventually, freshTopic, quickGroups, startTarget, type Target } from './target.ts'

export const timeoutMs = 120_000

const tests = suite('__consumer_offsets')

const client = { client: "Kafka's own tools", version: '4.3.1', runtime: 'Java' }
const PARTITIONS = 2

/** Kinds of keys, by Kafka's numbers. */
const OFFSET = 1
const GROUP = 2
const consumerGroupKinds = { group: 3, member: 5, targetEpoch: 6, targetOfMember: 7, current: 8, pattern: 16 }

interface Seen {
  readonly kind: number
  readonly key: {
    readonly group?: string
    readonly groupId?: string
    readonly topic?: string
    readonly partition?: number
  }
  /** null: a tombstone. */
  readonly value: Readonly<Record<string, unknown>> | null
}

const groupOf = ({ key }: Seen) => key.group ?? key.groupId

let target: Target
let jvm: Jvm
let topic: string
let classic: string
let modern: string

const run = (name: string, ...args: string[]) => jvm.output(name, '--bootstrap-server', target.bootstrap, ...args)

/** A member reads everything, commits it, and leaves. */
async function visit(subscription: string, config: Record<string, string>): Promise<void> {
  await jvm.start('member', subscription, { 'bootstrap.servers': target.bootstrap, ...config })
  await eventually(
    () => jvm.members(),
    ([member]) => member?.values.length === 10,
  )
  await jvm.stop('member')
}

tests.before(async () => {
  requires('kafka')
  target = await startTarget(quickGroups)
  jvm = startJvm()
  topic = freshTopic('recorded')
  classic = freshTopic('recorded-classic')
  modern = freshTopic('recorded-consumer')
  await run('TopicCommand', '--create', '--topic', topic, '--partitions', `${PARTITIONS}`)
  await jvm.produce(target.bootstrap, topic, PARTITIONS, 0, 10)
  await visit(topic, { 'group.id': classic, 'group.protocol': 'classic' })
  await visit(`re:${topic}.*`, { 'group.id': modern, 'group.protocol': 'consumer' })
  await run('ConsumerGroupCommand', '--delete-offsets', '--group', classic, '--topic', `${topic}:1`)
  await run('ConsumerGroupCommand', '--delete', '--group', classic, '--group', modern)
})

tests.after(async () => {
  await jvm?.close()
  await target?.close()
})

/** What a formatter makes of the whole topic, in order within each group. */
async function formatted(formatter: string): Promise<Seen[]> {
  const text = await run(
    'ConsoleConsumer',
    ...['--topic', '__consumer_offsets', '--from-beginning', '--timeout-ms', '4000'],
    ...['--formatter', `org.apache.kafka.tools.consumer.${formatter}`],
  )
  // It puts nothing between two records.
  const found = text.replaceAll('}{"key"', '}\n{"key"').split('\n')
  return found
    .filter(line => line.startsWith('{'))
    .map(line => {
      const { key, value } = JSON.parse(line)
      return { kind: key.type, key: key.data, value: value === null ? null : value.data }
    })
}

const lastOf = (records: readonly Seen[]) =>
  new Map(records.map(record => [JSON.stringify([record.kind, record.key]), record]))

tests('OffsetsMessageFormatter shows every commit and its tombstone when it reads the topic', async () => {
  const offsets = await formatted('OffsetsMessageFormatter')
  for (const group of [classic, modern]) {
    const own = offsets.filter(record => groupOf(record) === group)
    const at = (partition: number) =>
      own
        .filter(({ key }) => key.topic === topic && key.partition === partition)
        .map(({ value }) => value?.offset ?? null)
    for (let partition = 0; partition < PARTITIONS; partition++) {
      assert.is(at(partition).at(-1), null)
      assert.is(at(partition).at(-2), 5)
    }
    assert.ok(own.every(({ kind }) => kind === OFFSET))
  }
  target.works(client, 'OffsetsMessageFormatter')
})

tests('GroupMetadataMessageFormatter shows the classic group and its tombstone when it reads the topic', async () => {
  const groups = (await formatted('GroupMetadataMessageFormatter')).filter(record => groupOf(record) === classic)
  assert.ok(groups.every(({ kind }) => kind === GROUP))
  assert.is(groups.at(-1)?.value, null)
  const joined = groups.find(({ value }) => Array.isArray(value?.members) && value.members.length > 0)
  assert.equal(
    [joined?.value?.protocolType, joined?.value?.protocol, joined?.value?.generation],
    ['consumer', 'range', 1],
  )
  const [member] = (joined?.value?.members ?? []) as Record<string, unknown>[]
  assert.match(`${member?.memberId}`, /^consumer-/)
  assert.is(member?.clientHost, '/127.0.0.1')
  const left = groups.at(-2)?.value
  assert.equal([left?.members, left?.generation, left?.protocol], [[], 2, null])
  target.works(client, 'GroupMetadataMessageFormatter')
})

tests('DumpLogSegments decodes every record when it reads the logs', async () => {
  const logs = target.logs ?? skip('the log directory is not known')
  const folders = readdirSync(logs).filter(name => name.startsWith('__consumer_offsets-'))
  const files = folders.flatMap(name => {
    const segments = readdirSync(join(logs, name)).filter(file => file.endsWith('.log'))
    return segments.map(file => join(logs, name, file))
  })
  const stdout = await jvm.output('DumpLogSegments', '--offsets-decoder', '--files', files.join(','))
  assert.not.match(stdout, /Unknown record type|Error at offset|isvalid: false|Failed/)
  const records = stdout.split('\n').filter(line => line.startsWith('| offset:'))
  const decoded = records.map((line): Seen => {
    const parts = / key: (\{.*\}) payload: (.*)$/.exec(line)
    if (parts === null) throw new Error(`not decoded: ${line}`)
    const [, key = '', payload = ''] = parts
    const { type, data } = JSON.parse(key)
    return { kind: Number(type), key: data, value: payload === '<DELETE>' ? null : JSON.parse(payload).data }
  })

  const kindsOf = (group: string) => new Set(decoded.filter(each => groupOf(each) === group).map(({ kind }) => kind))
  assert.equal([...kindsOf(classic)].sort(), [OFFSET, GROUP])
  const kinds = kindsOf(modern)
  for (const kind of [OFFSET, ...Object.values(consumerGroupKinds)]) assert.ok(kinds.has(kind), `kind ${kind}`)
  for (const group of [classic, modern]) {
    for (const record of lastOf(decoded.filter(each => groupOf(each) === group)).values()) {
      assert.is(record.value, null, `${JSON.stringify(record)} is no tombstone`)
    }
  }
  const [subscription] = decoded.filter(({ kind }) => kind === consumerGroupKinds.member)
  assert.is(subscription?.value?.clientHost, '/127.0.0.1')
  const members = decoded.flatMap(record => {
    const classicMembers = groupOf(record) === classic && record.kind === GROUP ? record.value?.members : undefined
    return (classicMembers ?? []) as { subscription: { topics: string[] } }[]
  })
  assert.equal(members[0]?.subscription.topics, [topic])
  target.works(client, 'DumpLogSegments --offsets-decoder')
})

tests.run()
