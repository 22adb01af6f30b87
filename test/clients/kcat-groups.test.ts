/**
 * kcat -G: two members in a group, one of which leaves. The librdkafka that kcat usually comes with knows the classic
 * protocol only; a newer one stands in for it where the other protocol is meant.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newerLibrdkafka } from '../support/librdkafka.ts'
import { type Running, runProgram, startProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { eventually, freshTopic, loadPlatformatic, quickGroups, startTarget, type Target } from './target.ts'

export const timeoutMs = 90_000

const tests = suite('kcat groups')

const PARTITIONS = 4

let target: Target

tests.before(async () => {
  requires('kcat')
  target = await startTarget(quickGroups)
})

tests.after(() => target?.close())

interface Kind {
  readonly name: string
  readonly settings: readonly string[]
  /** Where the librdkafka is that kcat is to run with; absent: its own. */
  readonly library?: () => string | undefined
}

const byStrategy = (name: string): Kind => ({
  name,
  settings: ['session.timeout.ms=6000', 'heartbeat.interval.ms=200', `partition.assignment.strategy=${name}`],
})

const kinds: Kind[] = [
  ...['range', 'roundrobin', 'cooperative-sticky'].map(byStrategy),
  ...['uniform', 'range'].map(assignor => ({
    name: `the broker's ${assignor}`,
    settings: ['group.protocol=consumer', `group.remote.assignor=${assignor}`],
    library: newerLibrdkafka,
  })),
]

const environment = ({ library }: Kind) => ({ env: library === undefined ? {} : { LD_LIBRARY_PATH: library() } })

async function clientOf(kind: Kind) {
  const { stdout } = await runProgram('kcat', ['-V'], environment(kind))
  const [, own, library] = /Version (\S+) .*librdkafka (\S+)/.exec(stdout) ?? []
  return { client: 'kcat (librdkafka)', version: `${own} (${library})`, runtime: 'C' }
}

/** Prints `partition offset value` for each record; -u: at once. */
const join = (group: string, topic: string, kind: Kind): Running => {
  const settings = ['auto.offset.reset=earliest', ...kind.settings].flatMap(setting => ['-X', setting])
  const flags = ['-G', group, '-u', '-f', '%p %o %s\n', ...settings]
  return startProgram('kcat', ['-b', target.bootstrap, ...flags, topic], environment(kind))
}

const valuesOf = (member: Running) =>
  (member.stdout().match(/^\d+ \d+ \d+$/gm) ?? []).map(line => Number(line.split(' ')[2]))

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

async function produce(topic: string, from: number, to: number): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const input = numbers(from, to)
      .filter(number => number % PARTITIONS === partition)
      .join('\n')
    const { code, stderr } = await runProgram(
      'kcat',
      ['-b', target.bootstrap, '-P', '-t', topic, '-p', `${partition}`],
      { input },
    )
    assert.is(code, 0, stderr)
  }
}

/** Number of partitions of a member, by what its library says of them on stderr, one line a change. */
function assigned(member: Running): number {
  let count = 0
  for (const [, kind, partitions = ''] of member.stderr().matchAll(/rebalanced.*?(assign|revoke)(.*)/g)) {
    const changed = partitions.match(/ \[\d+\]/g)?.length ?? 0
    count += kind === 'assign' ? changed : -changed
  }
  return count
}

for (const kind of kinds) {
  tests(`-G shares by ${kind.name}, takes over when a member leaves, and resumes when all were gone`, async () => {
    if (kind.library !== undefined) requires('librdkafka')
    const topic = freshTopic('kcat-group')
    const { Admin } = await loadPlatformatic()
    const admin = new Admin({ clientId: 'kcat-test', bootstrapBrokers: [target.bootstrap] })
    await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 1 })
    await admin.close()
    const [a, b] = [join(topic, topic, kind), join(topic, topic, kind)]
    const share = (wanted: number[]) =>
      eventually(
        () => [a, b].map(assigned),
        counts => counts.join() === wanted.join(),
      )
    const delivered = (members: Running[], from: number, to: number) =>
      eventually(
        () => members.flatMap(valuesOf),
        values => numbers(from, to).every(number => values.includes(number)),
      )
    await share([2, 2])
    await produce(topic, 0, 40)
    await delivered([a, b], 0, 40)
    for (const member of [a, b]) assert.is(valuesOf(member).length, 20)
    assert.is((await b.kill('SIGTERM')).code, 0)
    await eventually(
      () => assigned(a),
      count => count === PARTITIONS,
    )
    await produce(topic, 40, 60)
    await delivered([a], 40, 60)
    assert.is((await a.kill('SIGTERM')).code, 0)

    await produce(topic, 60, 68)
    const c = join(topic, topic, kind)
    await delivered([c], 60, 68)
    await c.kill('SIGTERM')
    assert.equal(
      valuesOf(c).sort((x, y) => x - y),
      numbers(60, 68),
    )
    target.works(await clientOf(kind), `-G by ${kind.name}`)
  })
}

tests.run()
