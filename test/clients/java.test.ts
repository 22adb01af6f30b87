/**
 * Kafka's own programs and Java clients: producer (idempotent by default), consumer with assign, admin client,
 * ProducerPerformance, ConsoleProducer, ConsoleConsumer --partition, GetOffsetShell, TopicCommand, ConfigCommand.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kafkaJars, kafkaTool } from '../support/kafka.ts'
import { inRepository } from '../support/paths.ts'
import { runProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { freshTopic, startTarget, type Target } from './target.ts'

const tests = suite('Java')

const runtime = 'Java'
const clients = { client: 'kafka-clients (Java)', version: '4.3.1', runtime }
const tools = { client: "Kafka's own tools", version: '4.3.1', runtime }

let target: Target

/** Output of a program that must end well; without the lines of its logger. */
async function output(program: Promise<{ code: number | null; stdout: string; stderr: string }>): Promise<string[]> {
  const { code, stdout, stderr } = await program
  assert.is(code, 0, stdout + stderr)
  return stdout.split('\n').filter(line => line !== '')
}

const java = (...args: string[]) => {
  const source = inRepository('test/clients/java/Clients.java')
  const jvm = ['-Xmx256M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${kafkaJars()}/*`, source]
  return output(runProgram('java', [...jvm, ...args]))
}

const tool = (name: string, args: string[], input?: string) =>
  output(kafkaTool(name, args, input === undefined ? {} : { input }))

const topicCommand = (...args: string[]) => tool('TopicCommand', ['--bootstrap-server', target.bootstrap, ...args])

tests.before(async () => {
  requires('kafka')
  target = await startTarget()
})

tests.after(() => target?.close())

tests('the default producer and an assigned consumer agree when every codec is used', async () => {
  const topic = freshTopic('java')
  const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
  const expected: string[] = []
  for (const codec of codecs) {
    const [offsets] = await java('produce', target.bootstrap, topic, codec, '200')
    const from = expected.length
    assert.is(offsets, `offsets ${Array.from({ length: 200 }, (_, index) => from + index).join(' ')}`)
    for (let index = 0; index < 200; index++) {
      expected.push(`${from + index} k${index} ${codec} ${index} ${'z'.repeat(index % 100)}`)
    }
  }
  assert.equal(await java('consume', target.bootstrap, topic, String(expected.length)), expected)
  const [, begin, end] = await java('times', target.bootstrap, topic, '0')
  assert.equal([begin, end], ['begin 0', `end ${expected.length}`])
  target.works(
    clients,
    'produce (idempotent by default)',
    'consume assigned partitions',
    ...codecs.slice(1),
    'offsets by time',
  )
})

tests('the admin client does its whole round when asked', async () => {
  const lines = await java('admin', target.bootstrap, freshTopic('java'))
  assert.equal(lines, [
    'created 2 2097152',
    'again TopicExistsException',
    'partitions 3 leader 1',
    'operations 8',
    'config 2097152 DYNAMIC_TOPIC_CONFIG INT 3 documented',
    'nodes 1 cluster id 22',
    'latest 0',
    'max timestamp -1',
    'deleted',
  ])
  target.works(clients, 'create, describe, grow and delete topics', 'describe configs', 'describe cluster')
})

tests('TopicCommand creates, lists, describes, alters and deletes when told', async () => {
  const topic = freshTopic('tools')
  await topicCommand('--create', '--topic', topic, '--partitions', '2', '--config', 'retention.ms=5000')
  assert.ok((await topicCommand('--list')).includes(topic))
  const described = await topicCommand('--describe', '--topic', topic)
  assert.match(described[0] ?? '', /PartitionCount: 2\tReplicationFactor: 1\tConfigs: .*retention\.ms=5000/)
  assert.match(described[1] ?? '', /Partition: 0\tLeader: 1\tReplicas: 1\tIsr: 1/)
  await topicCommand('--alter', '--topic', topic, '--partitions', '3')
  assert.is((await topicCommand('--describe', '--topic', topic)).length, 4)
  await topicCommand('--delete', '--topic', topic)
  assert.not.ok((await topicCommand('--list')).includes(topic))
  target.works(tools, 'TopicCommand')
})

tests('ConsoleProducer, ConsoleConsumer and GetOffsetShell agree when used in turn', async () => {
  const topic = freshTopic('tools')
  const values = ['first', 'second', 'third']
  await tool('ConsoleProducer', ['--bootstrap-server', target.bootstrap, '--topic', topic], `${values.join('\n')}\n`)
  const consume = ['--bootstrap-server', target.bootstrap, '--topic', topic, '--partition', '0', '--offset', 'earliest']
  assert.equal(await tool('ConsoleConsumer', [...consume, '--max-messages', '3']), values)
  const offsets = ['--bootstrap-server', target.bootstrap, '--topic', topic]
  assert.equal(await tool('GetOffsetShell', offsets), [`${topic}:0:3`])
  assert.equal(await tool('GetOffsetShell', [...offsets, '--time', 'earliest']), [`${topic}:0:0`])
  target.works(tools, 'ConsoleProducer', 'ConsoleConsumer --partition', 'GetOffsetShell')
})

tests('ProducerPerformance sends everything when it measures', async () => {
  const topic = freshTopic('tools')
  const load = ['--topic', topic, '--num-records', '20000', '--record-size', '100', '--throughput', '-1']
  const lines = await tool('ProducerPerformance', [...load, '--bootstrap-server', target.bootstrap])
  assert.match(lines.at(-1) ?? '', /^20000 records sent/)
  const [end] = await tool('GetOffsetShell', ['--bootstrap-server', target.bootstrap, '--topic', topic])
  assert.is(end, `${topic}:0:20000`)
  target.works(tools, 'ProducerPerformance')
})

tests('ConfigCommand describes a broker and a topic when asked for all', async () => {
  const topic = freshTopic('tools')
  await topicCommand('--create', '--topic', topic)
  const describe = ['--bootstrap-server', target.bootstrap, '--describe', '--all', '--entity-type']
  const brokers = await tool('ConfigCommand', [...describe, 'brokers', '--entity-name', '1'])
  assert.ok(
    brokers.some(line => /log\.retention\.hours=168 .*STATIC_BROKER_CONFIG:log\.retention\.hours=168/.test(line)),
  )
  const topics = await tool('ConfigCommand', [...describe, 'topics', '--entity-name', topic])
  assert.is(topics.filter(line => line.startsWith('  ')).length, 33)
  target.works(tools, 'ConfigCommand --describe')
})

tests.run()
