/**
 * Kafka's own programs with groups: ConsumerGroupCommand with every action and every way to reset, GroupsCommand,
 * ConsoleConsumer --group, ConsumerPerformance, EndToEndLatency, and VerifiableConsumer that dies without a word.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Answer, type Jvm, startJvm } from '../support/jvm.ts'
import { javaArguments } from '../support/kafka.ts'
import { startProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { eventually, freshTopic, quickGroups, startTarget, type Target } from './target.ts'

export const timeoutMs = 120_000

const tests = suite('tools for groups')

const client = { client: "Kafka's own tools", version: '4.3.1', runtime: 'Java' }
const PARTITIONS = 2

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

const lines = (text: string) => text.split('\n').filter(line => line !== '')

/** Words of each line: values hold no spaces in the tables that are read with it. */
const rows = (text: string) => lines(text).map(line => line.trim().split(/\s+/))

const toolAtTarget = (name: string, ...args: string[]) =>
  jvm.tool(name, '--bootstrap-server', target.bootstrap, ...args)

const groupCommand = (...args: string[]) => toolAtTarget('ConsumerGroupCommand', ...args)

async function output(answer: Promise<Answer>): Promise<string> {
  const { code, stdout, stderr } = await answer
  assert.is(code, 0, stdout + stderr)
  return stdout
}

async function createTopic(name = freshTopic('group-tools'), partitions = PARTITIONS): Promise<string> {
  await output(toolAtTarget('TopicCommand', '--create', '--topic', name, '--partitions', `${partitions}`))
  return name
}

const config = (group: string, protocol: string, settings = {}) => ({
  ...{ 'bootstrap.servers': target.bootstrap, 'group.id': group, 'group.protocol': protocol, ...settings },
})

/** Starts a member of `group` and waits until it has read (and committed) this many values. */
async function readBy(name: string, topic: string, group: string, protocol: string, count: number): Promise<void> {
  await jvm.start(name, topic, config(group, protocol))
  await eventually(
    () => jvm.members(),
    members => members.find(member => member.name === name)?.values.length === count,
  )
  const committed = async () => [...(await committedOffsets(group)).values()]
  await eventually(committed, offsets => offsets.reduce((sum, offset) => sum + offset, 0) === count)
}

/** `topic partition` to the committed offset, as --describe --offsets shows it. */
async function committedOffsets(group: string): Promise<Map<string, number>> {
  const table = rows(await output(groupCommand('--describe', '--group', group, '--offsets')))
  return new Map(
    table
      .filter(([first, , , offset]) => first === group && offset !== '-')
      .map(([, topic, partition, offset]) => [`${topic} ${partition}`, Number(offset)]),
  )
}

for (const protocol of ['classic', 'consumer']) {
  tests(`ConsumerGroupCommand lists and describes a ${protocol} group when asked in each way`, async () => {
    const topic = await createTopic()
    const group = freshTopic('described')
    await jvm.produce(target.bootstrap, topic, PARTITIONS, 0, 10)
    await readBy('a', topic, group, protocol, 10)

    const type = protocol === 'classic' ? 'Classic' : 'Consumer'
    const other = protocol === 'classic' ? 'consumer' : 'classic'
    assert.ok(lines(await output(groupCommand('--list'))).includes(group))
    const listed = async (...args: string[]) =>
      rows(await output(groupCommand('--list', ...args))).find(([first]) => first === group)
    assert.equal(await listed('--state'), [group, 'Stable'])
    assert.equal(await listed('--state', 'stable'), [group, 'Stable'])
    assert.is(await listed('--state', 'empty'), undefined)
    assert.equal(await listed('--type'), [group, type])
    assert.equal(await listed('--type', protocol), [group, type])
    assert.is(await listed('--type', other), undefined)

    const members = await output(groupCommand('--describe', '--group', group, '--members', '--verbose'))
    assert.match(members, /GROUP +CONSUMER-ID +HOST +CLIENT-ID +#PARTITIONS +CURRENT-EPOCH +CURRENT-ASSIGNMENT/)
    const [, member] = rows(members)
    const epoch = protocol === 'classic' ? '-' : /^[1-9]\d*$/
    assert.equal([member?.[0], member?.[2], member?.[4]], [group, '/127.0.0.1', `${PARTITIONS}`])
    assert.match(member?.[5] ?? '', epoch)
    assert.is(member?.[6], `${topic}:0,1`)

    const state = await output(groupCommand('--describe', '--group', group, '--state'))
    const assignor = protocol === 'classic' ? 'range' : 'uniform'
    const address = target.bootstrap.replaceAll('.', '\\.')
    assert.match(state, new RegExp(`${group} +${address} +\\(1\\) +${assignor} +Stable +1\\b`))

    const offsets = rows(await output(groupCommand('--describe', '--group', group, '--offsets')))
    const shown = offsets.slice(1).map(row => row.slice(0, 6))
    assert.equal(shown, [
      [group, topic, '0', '5', '5', '0'],
      [group, topic, '1', '5', '5', '0'],
    ])
    await jvm.produce(target.bootstrap, topic, PARTITIONS, 10, 12)

    const unwilling = await groupCommand('--delete', '--group', group)
    assert.match(unwilling.stdout, /could not be deleted due to: .*GroupNotEmptyException/)
    const reset = ['--reset-offsets', '--group', group, '--topic', topic, '--to-earliest', '--execute']
    assert.match((await groupCommand(...reset)).stdout, /but the current state is Stable/)

    await jvm.stop('a')
    const emptied = () => output(groupCommand('--describe', '--group', group, '--state'))
    await eventually(emptied, text => /\bEmpty +0\b/.test(text))
    assert.equal(await listed('--state', 'empty'), [group, 'Empty'])

    assert.match(await output(groupCommand('--delete', '--group', group)), /was successful/)
    assert.is(await listed('--state'), undefined)
    const { stdout } = await groupCommand('--describe', '--group', group)
    assert.match(stdout, /GroupIdNotFoundException: Group .* not found/)
    target.works(client, 'ConsumerGroupCommand --list --describe --delete')
  })
}

tests('ConsumerGroupCommand resets offsets when told in each way', async () => {
  const topic = await createTopic()
  const group = freshTopic('reset')
  await jvm.produce(target.bootstrap, topic, PARTITIONS, 0, 10)
  await new Promise(resolve => setTimeout(resolve, 20))
  const between = new Date().toISOString().replace('Z', '')
  await new Promise(resolve => setTimeout(resolve, 20))
  await jvm.produce(target.bootstrap, topic, PARTITIONS, 10, 20)
  await readBy('a', topic, group, 'classic', 20)
  await jvm.stop('a')

  const reset = (...args: string[]) => output(groupCommand('--reset-offsets', '--group', group, ...args))
  const committed = async () => [...(await committedOffsets(group))].map(([, offset]) => offset)
  /** What the program says it did, and what is committed then. */
  const resets = async (how: string[], expected: number[], scope = ['--topic', topic]) => {
    const said = rows(await reset(...scope, ...how, '--execute'))
    const planned = said.filter(([first]) => first === group).map(([, , partition, offset]) => [partition, offset])
    const changed = planned.map(([partition]) => Number(partition))
    assert.equal(
      planned.sort(([a], [b]) => Number(a) - Number(b)),
      changed.sort((a, b) => a - b).map(partition => [`${partition}`, `${expected[partition]}`]),
      how.join(' '),
    )
    assert.equal(await committed(), expected, how.join(' '))
  }

  const dry = rows(await reset('--topic', topic, '--to-earliest', '--dry-run'))
  assert.equal(
    dry.slice(1).map(row => row[3]),
    ['0', '0'],
  )
  assert.equal(await committed(), [10, 10])

  await resets(['--to-earliest'], [0, 0])
  await resets(['--to-latest'], [10, 10], ['--all-topics'])
  await resets(['--to-offset', '7'], [7, 7])
  await resets(['--shift-by', '-2'], [5, 5])
  await resets(['--shift-by', '3'], [5, 8], ['--topic', `${topic}:1`])
  await resets(['--shift-by', '100'], [10, 8], ['--topic', `${topic}:0`])
  await resets(['--to-current'], [10, 8])
  await resets(['--to-datetime', between], [5, 5])
  await resets(['--by-duration', 'PT1H'], [0, 0])

  const plan = await reset('--topic', topic, '--to-offset', '4', '--export', '--dry-run')
  assert.equal(
    lines(plan)
      .map(line => line.replaceAll('"', ''))
      .sort(),
    [`${topic},0,4`, `${topic},1,4`],
  )
  const file = join(temporaryFolder('reset'), 'plan.csv')
  writeFileSync(file, plan.replace(`${topic},1,4`, `${topic},1,6`).replace(`"${topic}",1,4`, `"${topic}",1,6`))
  await resets(['--from-file', file], [4, 6], [])

  await jvm.start('b', topic, config(group, 'consumer'))
  const [resumed] = await eventually(
    () => jvm.members(),
    ([member]) => member?.values.length === 10,
  )
  assert.equal(
    resumed?.values.map(Number).sort((a, b) => a - b),
    [8, 10, 12, 13, 14, 15, 16, 17, 18, 19],
  )
  target.works(client, 'ConsumerGroupCommand --reset-offsets')
})

tests('ConsumerGroupCommand deletes offsets, and checks patterns, when told', async () => {
  const [kept, gone] = [await createTopic(), await createTopic()]
  const group = freshTopic('offsets')
  for (const topic of [kept, gone]) await jvm.produce(target.bootstrap, topic, PARTITIONS, 0, 4)
  await readBy('a', `${kept},${gone}`, group, 'classic', 8)
  const deleteOffsets = (...topics: string[]) =>
    groupCommand('--delete-offsets', '--group', group, ...topics.flatMap(topic => ['--topic', topic]))
  const subscribed = (await deleteOffsets(gone)).stdout
  assert.match(subscribed, /GroupSubscribedToTopicException/)
  assert.is((await committedOffsets(group)).size, 4)
  await jvm.stop('a')

  const deleted = await output(deleteOffsets(gone))
  assert.match(deleted, new RegExp(`Request succeeded[\\s\\S]*${gone} +0 +Successful\\s+${gone} +1 +Successful`))
  assert.equal([...(await committedOffsets(group)).keys()], [`${kept} 0`, `${kept} 1`])
  assert.match((await deleteOffsets(`${kept}:7`)).stdout, / 7 +Error: .*UnknownTopicOrPartitionException/)

  assert.match(await output(jvm.tool('ConsumerGroupCommand', '--validate-regex', 'a.*')), /is valid/)
  assert.match(await output(jvm.tool('ConsumerGroupCommand', '--validate-regex', '(')), /is invalid/)
  target.works(client, 'ConsumerGroupCommand --delete-offsets')
})

tests('GroupsCommand lists what its filters let through when asked', async () => {
  const topic = await createTopic()
  const [classic, modern] = [freshTopic('filtered'), freshTopic('filtered')]
  await jvm.produce(target.bootstrap, topic, PARTITIONS, 0, 4)
  await readBy('a', topic, classic, 'classic', 4)
  await readBy('b', topic, modern, 'consumer', 4)
  const listed = async (...args: string[]) =>
    rows(await output(toolAtTarget('GroupsCommand', '--list', ...args))).filter(([first]) =>
      [classic, modern].includes(first ?? ''),
    )
  const both = [
    [classic, 'Classic', 'consumer'],
    [modern, 'Consumer', 'consumer'],
  ]
  assert.equal((await listed()).sort(), both)
  assert.equal((await listed('--consumer')).sort(), both)
  assert.equal((await listed('--protocol', 'consumer')).sort(), both)
  assert.equal(await listed('--group-type', 'classic'), both.slice(0, 1))
  assert.equal(await listed('--group-type', 'consumer'), both.slice(1))
  assert.equal(await listed('--share'), [])
  target.works(client, 'GroupsCommand')
})

tests('EndToEndLatency measures when it commits each record', async () => {
  const flags = ['--num-records', '200', '--producer-acks', 'all', '--record-size', '100']
  const measured = await output(toolAtTarget('EndToEndLatency', '--topic', await createTopic(), ...flags))
  assert.match(measured, /Avg latency: [\d.]+ ms/)
  assert.match(measured, /Percentiles: 50th = \d+, 99th = \d+/)
  target.works(client, 'EndToEndLatency')
})

for (const protocol of ['classic', 'consumer']) {
  const property = ['--command-property', `group.protocol=${protocol}`]

  tests(`ConsoleConsumer goes on where its ${protocol} group stopped when started again`, async () => {
    const topic = await createTopic(undefined, 1)
    const group = freshTopic('console')
    await jvm.produce(target.bootstrap, topic, 1, 0, 5)
    const consume = async (count: number) =>
      lines(
        await output(
          toolAtTarget(
            'ConsoleConsumer',
            ...['--topic', topic, '--group', group, '--from-beginning', '--timeout-ms', '20000'],
            ...['--max-messages', `${count}`, ...property],
          ),
        ),
      ).filter(line => /^\d+$/.test(line))
    assert.equal(await consume(2), ['0', '1'])
    assert.equal(await consume(3), ['2', '3', '4'])
    await jvm.produce(target.bootstrap, topic, 1, 5, 6)
    assert.equal(await consume(1), ['5'])
    target.works(client, 'ConsoleConsumer --group')
  })

  tests(`ConsumerPerformance measures when it joins a ${protocol} group`, async () => {
    const topic = await createTopic()
    await jvm.produce(target.bootstrap, topic, PARTITIONS, 0, 20_000)
    const flags = ['--topic', topic, '--num-records', '20000', '--timeout', '20000', '--hide-header', ...property]
    const [figures] = lines(await output(toolAtTarget('ConsumerPerformance', ...flags)))
    assert.is(Number(figures?.split(', ')[4]), 20_000, figures)
    target.works(client, 'ConsumerPerformance')
  })

  tests(`VerifiableConsumer takes over when another member of its ${protocol} group is killed`, async () => {
    const topic = await createTopic()
    const group = freshTopic('verifiable')
    const settings = join(temporaryFolder('verifiable'), 'consumer.properties')
    writeFileSync(settings, protocol === 'classic' ? 'heartbeat.interval.ms=300\n' : '')
    const timeout = protocol === 'classic' ? ['--session-timeout', '2000'] : []
    const which = ['--bootstrap-server', target.bootstrap, '--topic', topic, '--group-id', group]
    const how = [...timeout, '--command-config', settings, '--group-protocol', protocol]
    const start = () => startProgram('java', javaArguments('VerifiableConsumer', [...which, ...how]))
    const [doomed, survivor] = [start(), start()]
    /** Its events; the last line may be half written, and some are not its own. */
    const events = (running: typeof doomed) =>
      (running.stdout().match(/^\{.*\}(?=\n)/gm) ?? []).map(line => JSON.parse(line))
    const owned = (running: typeof doomed) => {
      const partitions = new Set<number>()
      for (const { name, partitions: moved } of events(running)) {
        if (name === 'partitions_assigned') for (const { partition } of moved) partitions.add(partition)
        if (name === 'partitions_revoked') for (const { partition } of moved) partitions.delete(partition)
      }
      return partitions.size
    }
    await eventually(
      () => [owned(doomed), owned(survivor)],
      ([one, other]) => one === 1 && other === 1,
    )
    await doomed.kill('SIGKILL')
    await eventually(
      () => owned(survivor),
      count => count === PARTITIONS,
    )
    await jvm.produce(target.bootstrap, topic, PARTITIONS, 0, 100)
    const consumed = () =>
      events(survivor).reduce((sum, { name, count }) => sum + (name === 'records_consumed' ? count : 0), 0)
    await eventually(consumed, count => count === 100)
    await survivor.kill('SIGTERM')
    assert.ok(events(survivor).some(({ name, success }) => name === 'offsets_committed' && success))
    target.works(client, 'VerifiableConsumer')
  })
}

tests.run()
