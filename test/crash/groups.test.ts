/**
 * kill -9 under commits and in the middle of live groups: no committed offset goes back, and the members of both kinds
 * of groups go on where they were, none of them evicted.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/apis/09-offset-fetch.ts'
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts'
import { eventually, quickGroups } from '../clients/target.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { type JavaMember, type Jvm, startJvm } from '../support/jvm.ts'
import { createTopic } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { freePort, temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 180_000

const test = suite('kill -9 with groups')

const groups = Array.from({ length: 8 }, (_, index) => `committing-${index}`)

/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR: ask again. */
const unready = [14, 15, 16]

/** Commits 1, 2, 3 ... for one partition of one group, without being a member. */
class Committer {
  readonly group: string
  sent = 0n
  acknowledged = 0n

  constructor(group: string) {
    this.group = group
  }

  /** Goes on until the connection breaks. */
  async run(port: number): Promise<void> {
    const client = await WireClient.connect(port)
    try {
      for (;;) {
        const committedOffset = this.sent + 1n
        this.sent = committedOffset
        const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: `${committedOffset}` }]
        const request = { groupId: this.group, memberId: '', topics: [{ name: 'committed', partitions }] }
        const { topics } = await client.send(offsetCommit, 8, request)
        const errorCode = topics[0]?.partitions[0]?.errorCode ?? -1
        if (unready.includes(errorCode)) continue
        assert.is(errorCode, 0, this.group)
        this.acknowledged = committedOffset
      }
    } finally {
      await client.close()
    }
  }
}

/** What each group has committed, with the metadata that came with it; retried until the coordinator is there. */
async function fetchCommitted(port: number): Promise<Map<string, { offset: bigint; metadata: string | null }>> {
  const client = await WireClient.connect(port)
  const wanted = groups.map(groupId => ({ groupId, topics: [{ name: 'committed', partitionIndexes: [0] }] }))
  const ask = () => client.send(offsetFetch, 8, { groupId: '', topics: [], groups: wanted, requireStable: true })
  const answer = await eventually(ask, response => response.groups.every(({ errorCode }) => errorCode === 0))
  await client.close()
  return new Map(
    answer.groups.map(({ groupId, topics }) => {
      const partition = topics[0]?.partitions[0]
      return [groupId, { offset: partition?.committedOffset ?? -1n, metadata: partition?.metadata ?? null }]
    }),
  )
}

for (const flush of ['group', 'os'] as const) {
  test(`no committed offset goes back when the broker is killed under commits with flush=${flush}`, async () => {
    const dir = temporaryFolder('commits')
    const args = ['--flush', flush]
    let broker: BrokerProcess = await startBrokerProcess(dir, { args })
    const first = await WireClient.connect(broker.port)
    await createTopic(first, 'committed', 1)
    const found = () => first.send(findCoordinator, 4, { key: '', keyType: 0, coordinatorKeys: groups })
    await eventually(found, ({ coordinators }) => coordinators.every(({ errorCode }) => errorCode === 0))
    await first.close()

    const committers = groups.map(group => new Committer(group))
    const total = () => committers.reduce((sum, { acknowledged }) => sum + Number(acknowledged), 0)
    for (const more of [100, 500, 1500]) {
      const goal = total() + more
      const running = committers.map(committer =>
        committer.run(broker.port).catch((error: Error) => {
          if (!/closed/.test(error.message)) throw error
        }),
      )
      await eventually(total, count => count >= goal)
      await broker.kill()
      await Promise.all(running)
      broker = await startBrokerProcess(dir, { args })
      const committed = await fetchCommitted(broker.port)
      for (const { group, acknowledged, sent } of committers) {
        const { offset = -1n, metadata } = committed.get(group) ?? {}
        assert.ok(offset >= acknowledged && offset <= sent, `${group}: ${acknowledged} <= ${offset} <= ${sent}`)
        assert.is(metadata, `${offset}`)
      }
    }
    assert.is((await broker.stop()).code, 0)
  })
}

const PARTITIONS = 4

test('classic and consumer groups go on with the same members when the broker is killed and started', async () => {
  requires('kafka')
  const dir = temporaryFolder('groups')
  const port = await freePort()
  const start = () => startBrokerProcess(dir, { args: ['--port', `${port}`], settings: quickGroups })
  let broker = await start()
  const jvm: Jvm = startJvm()
  const atBroker = ['--bootstrap-server', `127.0.0.1:${port}`]
  const protocols = ['classic', 'consumer']

  /** Each group reads the topic of its own name. */
  const join = (name: string, protocol: string) =>
    jvm.start(`${protocol} ${name}`, protocol, {
      ...{ 'bootstrap.servers': `127.0.0.1:${port}`, 'group.id': protocol, 'group.protocol': protocol },
      ...(protocol === 'classic' && { 'heartbeat.interval.ms': 300 }),
    })
  const settled = () =>
    eventually(
      () => jvm.members(),
      members => members.every(({ partitions }) => partitions.length === PARTITIONS / 2),
    )
  const memberIds = async () => {
    const stdout = await jvm.output('ConsumerGroupCommand', ...atBroker, '--describe', '--all-groups', '--members')
    return (stdout.match(/^(classic|consumer) +\S+/gm) ?? []).sort()
  }
  let produced = 0
  const deliver = async (count: number) => {
    for (const topic of protocols) {
      await jvm.produce(`127.0.0.1:${port}`, topic, PARTITIONS, produced, produced + count)
    }
    produced += count
    const seenBy = (members: JavaMember[], protocol: string) =>
      new Set(members.filter(({ name }) => name.startsWith(protocol)).flatMap(({ values }) => values)).size
    await eventually(
      () => jvm.members(),
      members => protocols.every(protocol => seenBy(members, protocol) === produced),
    )
  }

  for (const protocol of protocols) {
    const topic = ['--create', '--topic', protocol, '--partitions', `${PARTITIONS}`]
    await jvm.output('TopicCommand', ...atBroker, ...topic)
    for (const name of ['a', 'b']) await join(name, protocol)
  }
  const before = await settled()
  const ids = await memberIds()
  assert.is(ids.length, 4)
  await deliver(100)
  for (let round = 0; round < 2; round++) {
    await broker.kill()
    broker = await start()
    await deliver(100)
  }
  const after = await settled()
  assert.equal(
    after.map(({ name, partitions, error }) => [name, partitions, error]),
    before.map(({ name, partitions, error }) => [name, partitions, error]),
  )
  assert.equal(await memberIds(), ids)

  for (const { name } of after) await jvm.stop(name)
  for (const protocol of protocols) await join('c', protocol)
  for (const topic of protocols) {
    await jvm.produce(`127.0.0.1:${port}`, topic, PARTITIONS, produced, produced + PARTITIONS)
  }
  const resumed = await eventually(
    () => jvm.members(),
    members => members.every(({ values }) => values.length >= PARTITIONS),
  )
  for (const { values } of resumed) {
    const expected = Array.from({ length: PARTITIONS }, (_, index) => `${produced + index}`)
    assert.equal([...values].sort(), expected)
  }
  await jvm.close()
  assert.is((await broker.stop()).code, 0)
})

test.run()
