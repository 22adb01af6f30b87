/**
 * Java consumers in groups: both protocols, every assignor, static members, patterns, and a live group that changes
 * from one protocol to the other and back. All of them live in one Java machine.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type JavaMember, type Jvm, startJvm } from '../support/jvm.ts'
import { requires } from '../support/requires.ts'
import { eventually, freshTopic, quickGroups, startTarget, type Target } from './target.ts'

export const timeoutMs = 120_000

const tests = suite('Java groups')

const client = { client: 'kafka-clients (Java)', version: '4.3.1', runtime: 'Java' }
const PARTITIONS = 6

let target: Target
let jvm: Jvm

tests.before(async () => {
  requires('kafka')
  target = await startTarget(quickGroups)
  jvm = startJvm()
})

tests.after(async () => {
  await jvm?.close()
  await target?.close()
})

tests.after.each(async () => {
  for (const { name } of await jvm.members()) await jvm.stop(name)
})

async function createTopic(name = freshTopic('java-group'), partitions = PARTITIONS): Promise<string> {
  const flags = ['--topic', name, '--partitions', `${partitions}`]
  await jvm.output('TopicCommand', '--bootstrap-server', target.bootstrap, '--create', ...flags)
  return name
}

type Settings = Readonly<Record<string, string | number>>

const classic = (group: string, settings: Settings = {}) => ({
  ...{ 'bootstrap.servers': target.bootstrap, 'group.id': group },
  ...{ 'group.protocol': 'classic', 'heartbeat.interval.ms': 100, ...settings },
})

const modern = (group: string, settings: Settings = {}) => ({
  ...{ 'bootstrap.servers': target.bootstrap, 'group.id': group, 'group.protocol': 'consumer', ...settings },
})

const assignor = (name: string) => `org.apache.kafka.clients.consumer.${name}Assignor`

const partitionsOf = (topic: string, count = PARTITIONS) =>
  Array.from({ length: count }, (_, index) => `${topic}-${index}`)

/** Until these members, and nobody else, have all partitions among them, each of them the same number. */
async function shared(topic: string, names: readonly string[]): Promise<Map<string, JavaMember>> {
  const wanted = partitionsOf(topic).join()
  const settled = await eventually(
    () => jvm.members(),
    members => {
      const owners = members.filter(member => names.includes(member.name))
      const owned = members.flatMap(member => member.partitions).sort()
      return (
        owned.join() === wanted && owners.every(({ partitions }) => partitions.length === PARTITIONS / names.length)
      )
    },
  )
  return new Map(settled.map(member => [member.name, member]))
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

/** Produces the values and waits until somebody has read each of them. */
async function delivered(topic: string, from: number, to: number): Promise<void> {
  await jvm.produce(target.bootstrap, topic, PARTITIONS, from, to)
  await eventually(
    () => jvm.members(),
    members => {
      const seen = new Set(members.flatMap(member => member.values.map(Number)))
      return numbers(from, to).every(value => seen.has(value))
    },
  )
}

async function groupType(group: string): Promise<string | undefined> {
  const stdout = await jvm.output('GroupsCommand', '--bootstrap-server', target.bootstrap, '--list')
  const line = stdout.split('\n').find(text => text.startsWith(`${group} `))
  return line?.split(/\s+/)[1]
}

/** Three join, one leaves, everybody leaves, another resumes. */
async function livesThrough(topic: string, config: Settings, keeps: boolean): Promise<void> {
  for (const name of ['a', 'b', 'c']) await jvm.start(name, topic, config)
  const before = await shared(topic, ['a', 'b', 'c'])
  await delivered(topic, 0, 60)
  await jvm.stop('c')
  const after = await shared(topic, ['a', 'b'])
  if (keeps) {
    for (const name of ['a', 'b']) {
      for (const kept of before.get(name)?.partitions ?? []) assert.ok(after.get(name)?.partitions.includes(kept), kept)
    }
  }
  await delivered(topic, 60, 120)
  await jvm.stop('a')
  await jvm.stop('b')

  await jvm.start('d', topic, config)
  await delivered(topic, 120, 132)
  const [resumed] = await jvm.members()
  assert.equal(
    resumed?.values.map(Number).sort((a, b) => a - b),
    numbers(120, 132),
  )
}

for (const [name, keeps] of [
  ['Range', false],
  ['RoundRobin', false],
  ['Sticky', true],
  ['CooperativeSticky', true],
] as const) {
  tests(`a classic group of three shares, loses one and resumes when it assigns by ${name}`, async () => {
    const topic = await createTopic()
    await livesThrough(topic, classic(topic, { 'partition.assignment.strategy': assignor(name) }), keeps)
    assert.is(await groupType(topic), 'Classic')
    target.works(client, `classic group: ${name}`)
  })
}

for (const name of ['uniform', 'range']) {
  tests(`a consumer group of three shares, loses one and resumes when the broker assigns by ${name}`, async () => {
    const topic = await createTopic()
    await livesThrough(topic, modern(topic, { 'group.remote.assignor': name }), name === 'uniform')
    assert.is(await groupType(topic), 'Consumer')
    target.works(client, `consumer group: ${name}`)
  })
}

/** A static member that comes back has what it had, the other one saw nothing; then another comes under its name. */
async function restartUnnoticed(topic: string, config: (name: string) => Settings): Promise<void> {
  for (const name of ['a', 'b']) await jvm.start(name, topic, config(name))
  const before = await shared(topic, ['a', 'b'])
  await jvm.stop('a')
  await jvm.start('a', topic, config('a'))
  const after = await shared(topic, ['a', 'b'])
  assert.equal(after.get('a')?.partitions, before.get('a')?.partitions)
  assert.is(after.get('b')?.rebalances, before.get('b')?.rebalances)

  await jvm.start('a again', topic, config('a'))
}

tests('a static classic member keeps its partitions and disturbs nobody when it restarts', async () => {
  const topic = await createTopic()
  const config = (id: string) => classic(topic, { 'group.instance.id': id })
  await restartUnnoticed(topic, config)
  const fenced = await eventually(
    () => jvm.members(),
    members => members.some(({ name, error }) => name === 'a' && error !== ''),
  )
  assert.is(fenced.find(({ name }) => name === 'a')?.error, 'FencedInstanceIdException')
  target.works(client, 'classic group: static members')
})

tests('a static member of a consumer group keeps its partitions when it restarts', async () => {
  const topic = await createTopic()
  const config = (id: string) => modern(topic, { 'group.instance.id': id })
  await restartUnnoticed(topic, config)
  const refused = await eventually(
    () => jvm.members(),
    members => members.some(({ error }) => error !== ''),
  )
  assert.equal(
    refused.map(({ name, error }) => [name, error]),
    [
      ['a', ''],
      ['a again', 'UnreleasedInstanceIdException'],
      ['b', ''],
    ],
  )
  target.works(client, 'consumer group: static members')
})

tests('a pattern matches the topics that it should when the broker resolves it', async () => {
  const prefix = freshTopic('pattern')
  for (const suffix of ['a', 'b', 'other']) await createTopic(`${prefix}-${suffix}`, 2)
  await jvm.start('a', `re:${prefix}-[a-d]`, modern(prefix))
  const owns = (...suffixes: string[]) => {
    const wanted = suffixes.flatMap(suffix => partitionsOf(`${prefix}-${suffix}`, 2)).join()
    return eventually(
      () => jvm.members(),
      ([member]) => member?.partitions.join() === wanted,
    )
  }
  await owns('a', 'b')
  await createTopic(`${prefix}-c`, 2)
  await owns('a', 'b', 'c')

  await jvm.start('b', 're:(unclosed', modern(`${prefix}-broken`))
  const [, broken] = await eventually(
    () => jvm.members(),
    members => members.some(({ error }) => error !== ''),
  )
  assert.is(broken?.error, 'InvalidRegularExpression')
  target.works(client, 'consumer group: pattern')
})

for (const [protocol, config] of [
  ['classic', classic],
  ['consumer', modern],
] as const) {
  tests(`a live ${protocol} group takes up new partitions when its topic grows`, async () => {
    const topic = await createTopic(undefined, 2)
    for (const name of ['a', 'b']) await jvm.start(name, topic, config(topic, { 'metadata.max.age.ms': 500 }))
    const owned = (count: number) =>
      eventually(
        () => jvm.members(),
        members => members.every(({ partitions }) => partitions.length === count),
      )
    await owned(1)
    const grow = ['--alter', '--topic', topic, '--partitions', `${PARTITIONS}`]
    await jvm.output('TopicCommand', '--bootstrap-server', target.bootstrap, ...grow)
    await owned(PARTITIONS / 2)
    await delivered(topic, 0, 60)
    target.works(client, `${protocol} group: a topic that grows`)
  })
}

tests('a live group loses nothing when its members change their protocol one by one, and back', async () => {
  const topic = await createTopic()
  const replace = async (before: string, after: string, config: Settings) => {
    await jvm.stop(before)
    await jvm.start(after, topic, config)
  }
  for (const name of ['a1', 'b1', 'c1']) await jvm.start(name, topic, classic(topic))
  await shared(topic, ['a1', 'b1', 'c1'])
  await delivered(topic, 0, 60)
  assert.is(await groupType(topic), 'Classic')

  await replace('a1', 'a2', modern(topic))
  await shared(topic, ['a2', 'b1', 'c1'])
  assert.is(await groupType(topic), 'Consumer')
  await delivered(topic, 60, 120)
  await replace('b1', 'b2', modern(topic))
  await replace('c1', 'c2', modern(topic))
  await shared(topic, ['a2', 'b2', 'c2'])
  await delivered(topic, 120, 180)

  await replace('a2', 'a3', classic(topic))
  await shared(topic, ['a3', 'b2', 'c2'])
  await delivered(topic, 180, 240)
  await replace('b2', 'b3', classic(topic))
  await replace('c2', 'c3', classic(topic))
  await shared(topic, ['a3', 'b3', 'c3'])
  await delivered(topic, 240, 300)
  assert.is(await groupType(topic), 'Classic')
  target.works(client, 'live group between the protocols')
})

tests.run()
