/**
 * Replicas that move between the directories of a broker, by Kafka's own ReassignPartitionsCommand, LogDirsCommand and
 * Java admin client: throttled, watched, sped up, cancelled, done; and nothing of it is left.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Jvm, startJvm } from '../support/jvm.ts'
import { kafkaJars } from '../support/kafka.ts'
import { inRepository } from '../support/paths.ts'
import { runProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { eventually, freshTopic, startTarget, type Target } from './target.ts'

export const timeoutMs = 180_000

const tests = suite('moves between directories')
const runtime = 'Java'
const tools = { client: "Kafka's own tools", version: '4.3.1', runtime }
const java = { client: 'kafka-clients (Java)', version: '4.3.1', runtime }

let target: Target
let jvm: Jvm

tests.before(async () => {
  requires('kafka')
  target = await startTarget({}, 2)
  jvm = startJvm()
})

tests.after(async () => {
  await jvm?.close()
  await target?.close()
})

const output = (name: string, ...args: string[]) => jvm.output(name, '--bootstrap-server', target.bootstrap, ...args)

const reassign = (...args: string[]) => output('ReassignPartitionsCommand', ...args)

interface Directory {
  readonly logDir: string
  readonly partitions: readonly { readonly partition: string; readonly size: number; readonly isFuture: boolean }[]
}

/** Every directory, and what of the topic lies in it. */
async function directories(topic: string): Promise<readonly Directory[]> {
  const text = await output('LogDirsCommand', '--describe', '--topic-list', topic)
  return JSON.parse(text.split('\n').find(line => line.startsWith('{'))!).brokers[0].logDirs
}

const holding = (all: readonly Directory[], replica: string) =>
  all.find(({ partitions }) => partitions.some(each => each.partition === replica && !each.isFuture))!.logDir

const without = (all: readonly Directory[], replica: string) =>
  all.find(({ logDir }) => logDir !== holding(all, replica))!.logDir

/** A file that sends the replica of each partition to a directory. */
function plan(topic: string, logDirs: readonly string[]): string {
  const file = join(temporaryFolder('plan'), 'plan.json')
  const partitions = logDirs.map((logDir, partition) => ({ topic, partition, replicas: [1], log_dirs: [logDir] }))
  writeFileSync(file, JSON.stringify({ version: 1, partitions }))
  return file
}

const settings = async (...entity: string[]) =>
  [...(await output('kafka.admin.ConfigCommand', '--describe', ...entity)).matchAll(/^ {2}(\S+?)=/gm)].map(
    ([, key]) => key as string,
  )

/** A topic of two partitions, the first of them with some megabytes. */
async function filled(): Promise<string> {
  const topic = freshTopic('moving')
  await output('TopicCommand', '--create', '--topic', topic, '--partitions', '1')
  const load = ['--topic', topic, '--num-records', '5000', '--record-size', '1000', '--throughput', '-1']
  await output('ProducerPerformance', ...load)
  await output('TopicCommand', '--alter', '--topic', topic, '--partitions', '2')
  return topic
}

tests('ReassignPartitionsCommand moves a replica, throttled, sped up, and clears the throttles', async () => {
  const topic = await filled()
  const replica = `${topic}-0`
  const before = await directories(topic)
  const to = without(before, replica)
  const file = plan(topic, [to, 'any'])
  const json = ['--reassignment-json-file', file]
  const begun = await reassign(...json, '--execute', '--replica-alter-log-dirs-throttle', '50000')
  assert.match(begun, RegExp(`Successfully started partition reassignments for ${topic}-0,${topic}-1`))
  assert.match(begun, RegExp(`Successfully started moving log directory to ${to} for replica ${replica} with broker 1`))
  const key = 'replica.alter.log.dirs.io.max.bytes.per.second'
  const broker = ['--entity-type', 'brokers', '--entity-name', '1']
  assert.ok((await settings(...broker)).includes(key))

  const under = await reassign(...json, '--verify')
  assert.match(under, RegExp(`Reassignment of partition ${topic}-1 is completed`))
  assert.match(under, RegExp(`Reassignment of replica ${replica}-1 is still in progress`))
  const copies = (await directories(topic)).flatMap(({ logDir, partitions }) =>
    partitions.filter(({ isFuture }) => isFuture).map(({ partition }) => ({ logDir, partition })),
  )
  assert.equal(copies, [{ logDir: to, partition: replica }])
  assert.match(await reassign('--list'), /No partition reassignments found/)

  await reassign(...json, '--execute', '--additional', '--replica-alter-log-dirs-throttle', '100000000')
  const done = await eventually(
    () => reassign(...json, '--verify'),
    text => text.includes(`Reassignment of replica ${replica}-1 completed successfully`),
  )
  assert.match(done, /Clearing broker-level throttles on broker 1/)
  assert.match(done, RegExp(`Clearing topic-level throttles on topic ${topic}`))
  await eventually(
    () => settings(...broker),
    keys => !keys.includes(key),
  )
  const after = await directories(topic)
  assert.is(holding(after, replica), to)
  const size = (all: readonly Directory[]) =>
    all.flatMap(({ partitions }) => partitions).find(each => each.partition === replica)?.size
  assert.is(size(after), size(before))
  target.works(tools, 'ReassignPartitionsCommand')
})

tests('ReassignPartitionsCommand proposes, cancels, and refuses what no broker can do', async () => {
  const topic = await filled()
  const replica = `${topic}-0`
  const before = await directories(topic)
  const from = holding(before, replica)
  const to = without(before, replica)
  const json = ['--reassignment-json-file', plan(topic, [to])]
  await reassign(...json, '--execute', '--replica-alter-log-dirs-throttle', '50000')
  const under = await reassign(...json, '--verify')
  assert.match(under, /is still in progress/, under)
  const cancelled = await reassign(...json, '--cancel')
  assert.match(cancelled, /None of the specified partition reassignments are active/)
  assert.match(
    cancelled,
    RegExp(`Successfully started moving log directory to ${from} for replica ${replica} with broker 1`),
  )
  assert.match(await reassign(...json, '--verify'), RegExp(`is not being moved from log dir ${from} to ${to}`))
  await eventually(
    () => directories(topic),
    all => all.every(({ partitions }) => partitions.every(({ isFuture }) => !isFuture)),
  )
  const topics = join(temporaryFolder('plan'), 'topics.json')
  writeFileSync(topics, JSON.stringify({ version: 1, topics: [{ topic }] }))
  const proposed = await reassign('--topics-to-move-json-file', topics, '--broker-list', '1', '--generate')
  assert.match(proposed, /"replicas":\[1\],"log_dirs":\["any"\]/)

  const nowhere = ['--reassignment-json-file', plan(topic, ['/nowhere'])]
  const tool = (...args: string[]) =>
    jvm.tool('ReassignPartitionsCommand', '--bootstrap-server', target.bootstrap, ...args)
  const refused = await tool(...nowhere, '--execute', '--timeout', '1000')
  assert.is.not(refused.code, 0)
  assert.match(refused.stdout + refused.stderr, /LogDirNotFoundException/)
  const file = join(temporaryFolder('plan'), 'plan.json')
  writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, replicas: [7] }] }))
  const unknown = await tool('--reassignment-json-file', file, '--execute')
  assert.is.not(unknown.code, 0)
  assert.match(unknown.stdout + unknown.stderr, /Unknown broker id 7/)
  assert.ok(existsSync(join(from, replica)))
})

tests('the Java admin client moves a replica and is told where it is', async () => {
  const topic = await filled()
  const source = inRepository('test/clients/java/Clients.java')
  const flags = ['-Xmx256M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${kafkaJars()}/*`, source]
  const { code, stdout, stderr } = await runProgram('java', [...flags, 'move', target.bootstrap, topic])
  assert.is(code, 0, stdout + stderr)
  assert.equal(stdout.trim().split('\n'), [
    'before: here, no copy',
    'moved: there, no copy',
    'the same: there, no copy',
    'nowhere: LogDirNotFoundException',
    'no partition: UnknownTopicOrPartitionException',
    'reassigned: {}',
    'none: InvalidReplicaAssignmentException',
    'taken back: NoReassignmentInProgressException',
    'no topic: UnknownTopicOrPartitionException',
  ])
  target.works(java, 'move replicas between directories')
})

tests.run()
