/**
 * Altering configs with ConfigCommand, TopicCommand, ClientMetricsCommand, the Java admin client, kafkajs
 * and @platformatic/kafka.
 */
import kafkajs from 'kafkajs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Jvm, startJvm } from '../support/jvm.ts'
import { kafkaJars } from '../support/kafka.ts'
import { inRepository } from '../support/paths.ts'
import { runProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { eventually, freshTopic, loadPlatformatic, platformaticVersion, startTarget, type Target } from './target.ts'

export const timeoutMs = 120_000

const tests = suite('altering configs')

const runtime = 'Java'
const tools = { client: "Kafka's own tools", version: '4.3.1', runtime }
const java = { client: 'kafka-clients (Java)', version: '4.3.1', runtime }

const TOPIC_RESOURCE = 2

let target: Target
let jvm: Jvm

tests.before(async () => {
  requires('kafka')
  target = await startTarget()
  jvm = startJvm()
})

tests.after(async () => {
  await jvm?.close()
  await target?.close()
})

const tool = (name: string, ...args: string[]) => jvm.tool(name, '--bootstrap-server', target.bootstrap, ...args)

async function output(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tool(name, ...args)
  assert.is(code, 0, stdout + stderr)
  return stdout
}

const configCommand = (...args: string[]) => output('kafka.admin.ConfigCommand', ...args)

/** What ConfigCommand says is set for a resource, without the synonyms. */
async function described(...entity: string[]): Promise<string[]> {
  const text = await configCommand('--describe', ...entity)
  return [...text.matchAll(/^ {2}(\S+=\S*) sensitive/gm)].map(([, pair]) => pair as string).sort()
}

const shows = (entity: readonly string[], ...pairs: string[]) =>
  eventually(
    () => described(...entity),
    found => found.join() === pairs.join(),
  )

async function createTopic(): Promise<string> {
  const topic = freshTopic('altering')
  await output('TopicCommand', '--create', '--topic', topic)
  return topic
}

tests('ConfigCommand sets, edits and unsets configs of a topic', async () => {
  const topic = await createTopic()
  const entity = ['--entity-type', 'topics', '--entity-name', topic]
  await configCommand('--alter', ...entity, '--add-config', 'retention.ms=1000,cleanup.policy=[compact,delete]')
  await shows(entity, 'cleanup.policy=compact,delete', 'retention.ms=1000')
  await configCommand('--alter', ...entity, '--add-config', 'segment.ms=7000', '--delete-config', 'retention.ms')
  await shows(entity, 'cleanup.policy=compact,delete', 'segment.ms=7000')
  const overridden = await output('TopicCommand', '--describe', '--topic', topic, '--topics-with-overrides')
  assert.match(overridden, /Configs: .*segment\.ms=7000/)
  const refused = await tool('kafka.admin.ConfigCommand', '--alter', ...entity, '--add-config', 'retention.ms=soon')
  assert.is.not(refused.code, 0)
  assert.match(refused.stdout + refused.stderr, /Invalid value soon for configuration retention\.ms/)
  const absent = ['--entity-type', 'topics', '--entity-name', `${topic}-absent`]
  assert.is.not((await tool('kafka.admin.ConfigCommand', '--alter', ...absent, '--add-config', 'a=b')).code, 0)
  target.works(tools, 'ConfigCommand --alter')
})

tests('ConfigCommand sets and unsets configs of one broker and of all', async () => {
  const all = ['--entity-type', 'brokers', '--entity-default']
  const one = ['--entity-type', 'brokers', '--entity-name', '1']
  const before = await described(...all)
  await configCommand('--alter', ...all, '--add-config', 'log.roll.ms=3600000')
  await configCommand('--alter', ...one, '--add-config', 'log.retention.bytes=123456')
  await shows(all, ...['log.roll.ms=3600000', ...before].sort())
  assert.ok((await described(...one)).includes('log.retention.bytes=123456'))
  await configCommand('--alter', ...all, '--delete-config', 'log.roll.ms')
  await configCommand('--alter', ...one, '--delete-config', 'log.retention.bytes')
  await shows(all, ...before)
  const refused = await tool('kafka.admin.ConfigCommand', '--alter', ...one, '--add-config', 'node.id=5')
  assert.match(refused.stdout + refused.stderr, /Cannot update these configs dynamically: \[node\.id\]/)
})

tests('ConfigCommand sets and unsets configs of a group, and lists groups that have some', async () => {
  const group = freshTopic('group')
  const entity = ['--entity-type', 'groups', '--entity-name', group]
  const pair = 'consumer.session.timeout.ms=50000'
  await configCommand('--alter', ...entity, '--add-config', pair)
  await eventually(
    () => described(...entity),
    found => found.includes(pair),
  )
  assert.ok((await configCommand('--describe', '--entity-type', 'groups')).includes(group))
  await configCommand('--alter', ...entity, '--delete-config', 'consumer.session.timeout.ms')
  await eventually(
    () => described(...entity),
    found => !found.includes(pair),
  )
})

tests('ClientMetricsCommand keeps a subscription until it is deleted', async () => {
  const name = freshTopic('metrics')
  const command = (...args: string[]) => output('ClientMetricsCommand', ...args)
  await command(
    '--alter',
    '--name',
    name,
    '--interval',
    '10000',
    '--metrics',
    'org.apache.',
    '--match',
    'client_id=a.*',
  )
  const shown = await eventually(
    () => command('--describe', '--name', name),
    text => text.includes('interval.ms=10000'),
  )
  assert.match(shown, /match=client_id=a\.\*/)
  assert.ok((await command('--list')).split('\n').includes(name))
  await command('--delete', '--name', name)
  await eventually(
    () => command('--list'),
    text => !text.split('\n').includes(name),
  )
  target.works(tools, 'ClientMetricsCommand')
})

tests('the Java admin client alters and lists when asked', async () => {
  const source = inRepository('test/clients/java/Clients.java')
  const flags = ['-Xmx256M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${kafkaJars()}/*`, source]
  const names = [freshTopic('java'), freshTopic('java-group')]
  const { code, stdout, stderr } = await runProgram('java', [...flags, 'alter', target.bootstrap, ...names])
  assert.is(code, 0, stdout + stderr)
  assert.equal(stdout.trim().split('\n'), [
    'retention.ms 86400000 DYNAMIC_TOPIC_CONFIG',
    'cleanup.policy delete,compact DYNAMIC_TOPIC_CONFIG',
    'cleanup.policy compact DYNAMIC_TOPIC_CONFIG',
    'retention.ms 86400000 DYNAMIC_TOPIC_CONFIG',
    'retention.ms InvalidConfigurationException',
    'retention.ms 604800000 DEFAULT_CONFIG',
    'consumer.session.timeout.ms 50000 DYNAMIC_GROUP_CONFIG',
    'consumer.session.timeout.ms InvalidConfigurationException',
    'log.roll.ms 3600000 DYNAMIC_DEFAULT_BROKER_CONFIG',
    'node.id InvalidRequestException',
    'log.roll.ms none',
    'listed [GROUP, TOPIC]',
  ])
  target.works(java, 'alter configs', 'list config resources')
})

tests('kafkajs replaces the configs of a topic', async () => {
  const { ConfigResourceTypes, Kafka, logLevel } = kafkajs
  const kafka = new Kafka({ brokers: [target.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 0 } })
  const admin = kafka.admin()
  await admin.connect()
  try {
    const topic = freshTopic('kafkajs')
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    await admin.createTopics({ topics: [{ topic, configEntries: [{ name: 'flush.ms', value: '5' }] }] })
    const alter = (name: string, value: string) =>
      admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name, value }] }] })
    await alter('retention.ms', '12345')
    const configs = async () => {
      const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false })
      const entries = resources[0]?.configEntries.filter(({ configName }) => /^(flush|retention)\.ms$/.test(configName))
      return entries?.map(({ configName, configValue }) => `${configName}=${configValue}`).sort()
    }
    await eventually(configs, found => found?.[1] === 'retention.ms=12345')
    assert.is((await configs())?.[0], 'flush.ms=9223372036854775807')
    const refused = await alter('no.such.key', '1').catch((error: { type?: string }) => error)
    assert.is(refused?.type, 'INVALID_CONFIG')
  } finally {
    await admin.disconnect()
  }
  target.works({ client: 'kafkajs', version: '2.2.4' }, 'alter configs')
})

tests('@platformatic/kafka sets and replaces the configs of a topic', async () => {
  const { Admin } = await loadPlatformatic()
  const admin = new Admin({ clientId: 'altering', bootstrapBrokers: [target.bootstrap] })
  try {
    const resource = { resourceType: TOPIC_RESOURCE, resourceName: freshTopic('platformatic') }
    await admin.createTopics({ topics: [resource.resourceName], partitions: 1, replicas: 1 })
    const asked = { ...resource, configurationKeys: ['retention.ms', 'segment.ms'] }
    const configs = async () => {
      const [described] = await admin.describeConfigs({ resources: [asked] })
      return described?.configs.map(({ name, value }) => `${name}=${value}`).sort()
    }
    const set = { name: 'retention.ms', configOperation: 0, value: '1234' }
    await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs: [set] }] })
    await eventually(configs, found => found?.[0] === 'retention.ms=1234')
    await admin.alterConfigs({ resources: [{ ...resource, configs: [{ name: 'segment.ms', value: '5678' }] }] })
    await eventually(configs, found => found?.join() === 'retention.ms=604800000,segment.ms=5678')
  } finally {
    await admin.close()
  }
  target.works({ client: '@platformatic/kafka', version: platformaticVersion }, 'alter configs')
})

tests.run()
