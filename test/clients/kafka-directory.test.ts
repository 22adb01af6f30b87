/**
 * One data directory, served by Apache Kafka and by us in turn, under load: what either acknowledged is there under the
 * other, record by record, once and in order; groups go on where they were; an idempotent producer goes on with its
 * sequences; open transactions hold the last stable offset until Kafka aborts them; and what we do not serve is kept.
 *
 * `ODRADEK_RUNS=n` makes n times as many hand-overs.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { serveProcess } from '../support/broker-process.ts'
import { converse } from '../support/jvm.ts'
import { formatKafka, type KafkaSite, kafkaSite, startKafka } from '../support/kafka-broker.ts'
import type { Finished } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { runs } from '../support/runs.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { worksWith } from '../support/works-with.ts'
import { eventually } from './target.ts'

export const timeoutMs = 300_000 * runs(1).numRuns

const tests = suite("Apache Kafka's data directory")

tests.before(() => requires('kafka'))

interface Serving {
  stop(): Promise<Finished>
  kill(): Promise<Finished>
}

/** As somebody does who has Kafka's server.properties at hand; there is no authorizer here. */
const startOurs = ({ properties }: KafkaSite): Promise<Serving> =>
  serveProcess({ args: ['--config', properties, '-c', 'authorizer.class.name='], env: { ODRADEK_LOG: 'warn' } })

const stopped = async (broker: Serving): Promise<void> => {
  const { code, stdout, stderr } = await broker.stop()
  // Java ends with 143 on a SIGTERM that it has honoured.
  assert.ok(code === 0 || code === 143, `${code}\n${stdout}${stderr}`)
}

const linesOf = (text: string): string[] => text.split('\n').filter(line => line !== '')
const without = (text: string, pattern: RegExp): string[] => linesOf(text).filter(line => !pattern.test(line))

/** Written to all the time. */
const moving = /^offset (load|__consumer_offsets) /
/** What Kafka's coordinators write when a transaction or a share group goes on. */
const coordinated = /^(offset|records) (__transaction_state|__share_group_state|expiring) /

const settledWell = (report: string): void => {
  const number = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(report)?.[1])
  assert.not.match(report, /^failure /m)
  assert.is(number('lost'), 0, report)
  assert.ok(number('sent') > 2000, report)
  for (const name of ['acknowledged', 'found', 'classic-group saw', 'consumer-group saw'])
    assert.is(number(name), number('sent'), report)
}

tests('what Kafka has we serve, what we add Kafka serves, under load, back and forth', async () => {
  const site = await kafkaSite(temporaryFolder('kafka-directory'), () => ({
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
    // Snapshots of the metadata come often, from both.
    'metadata.log.max.record.bytes.between.snapshots': 2000,
  }))
  await formatKafka(site)
  const address = `127.0.0.1:${site.port}`
  const moves = converse('test/clients/java/Moves.java')
  const acknowledged = async () => Number(await moves.succeed('acknowledged'))
  const goesOn = async (more: number) => {
    const before = await acknowledged()
    await eventually(acknowledged, now => now >= before + more)
  }

  let kafka = await startKafka(site)
  await moves.succeed('setup', address)
  assert.match(await moves.succeed('share', address, 'shared', '7'), /^s0 s1 s2 s3 s4 s5 s6$/m)
  await moves.succeed('open', address, 'holder', 'held', '900000')
  await moves.succeed('load', address, 'load', '3', '5')
  await moves.succeed('members', address, 'load')
  let cluster = await moves.succeed('cluster', address)
  assert.match(cluster, /^offset held 0 LatestSpec read_committed 1 $/m)
  assert.match(cluster, /^offset held 0 LatestSpec read_uncommitted 5 $/m)
  const unserved = await moves.succeed('unserved', address)
  await goesOn(500)
  await moves.succeed('open', address, 'expirer', 'expiring', '10000')
  const expiring = await moves.succeed('records', address, 'expiring,__transaction_state,__share_group_state')
  assert.match(expiring, /^records expiring 0 read_committed 1 /m)
  await stopped(kafka)

  const metadata = join(site.logDirs[0]!, '__cluster_metadata-0')
  const newestSnapshot = () =>
    readdirSync(metadata)
      .filter(name => name.endsWith('.checkpoint'))
      .sort()
      .at(-1)!
  const ofKafka = newestSnapshot()
  let ours = await startOurs(site)
  assert.equal(
    without(await moves.succeed('cluster', address), RegExp(`${moving.source}|${coordinated.source}`)),
    without(cluster, RegExp(`${moving.source}|${coordinated.source}`)),
  )
  assert.is(await moves.succeed('records', address, 'expiring,__transaction_state,__share_group_state'), expiring)
  await goesOn(500)
  await moves.succeed('topic', address, 'made-by-us', '2')
  cluster = await moves.succeed('cluster', address)
  await stopped(ours)
  assert.ok(newestSnapshot() > ofKafka, 'Kafka starts from a snapshot of ours')

  kafka = await startKafka(site)
  const other = await startOurs(site).then(broker => broker.kill(), String)
  assert.match(String(other), /logs is in use by/)
  const expired = await eventually(
    () => moves.succeed('records', address, 'expiring'),
    text => /^records expiring 0 read_committed 2 /m.test(text),
  )
  assert.match(expired, /^records expiring 0 read_uncommitted 5 /m)
  assert.match(await moves.succeed('share', address, 'shared', '7'), /^s7 s8 s9 s10 s11 s12 s13$/m)
  await goesOn(500)
  const later = await moves.succeed('cluster', address)
  assert.equal(
    without(later, RegExp(`${moving.source}|${coordinated.source}`)),
    without(cluster, RegExp(`${moving.source}|${coordinated.source}`)),
  )
  const ofExpirer = /^transaction expirer /
  assert.equal(without(await moves.succeed('unserved', address), ofExpirer), without(unserved, ofExpirer))
  await stopped(kafka)

  for (let round = 0; round < runs(1).numRuns; round++) {
    if (round > 0) {
      kafka = await startKafka(site)
      await goesOn(500)
      await stopped(kafka)
    }
    ours = await startOurs(site)
    await goesOn(500)
    if (round + 1 < runs(1).numRuns) await stopped(ours)
  }
  assert.equal(without(await moves.succeed('cluster', address), moving), without(later, moving))
  settledWell(await moves.succeed('settle', address))
  await stopped(ours)
  await moves.close()
  worksWith(
    { client: 'Apache Kafka (the broker)', version: '4.3.1', runtime: 'Java' },
    'data directory, there and back',
  )
})

/**
 * Each broker of `starts` in turn serves a load, and is ended as `ending` says; the last one is checked and stopped.
 */
async function handOver(
  site: KafkaSite,
  starts: readonly ((site: KafkaSite) => Promise<Serving>)[],
  ending: 'stop' | 'kill',
  inFlight: number,
): Promise<void> {
  const address = `127.0.0.1:${site.port}`
  const moves = converse('test/clients/java/Moves.java')
  const acknowledged = async () => Number(await moves.succeed('acknowledged'))
  for (const [index, start] of starts.entries()) {
    const broker = await start(site)
    if (index === 0) {
      await moves.succeed('topic', address, 'load', '3')
      await moves.succeed('load', address, 'load', '3', `${inFlight}`)
      await moves.succeed('members', address, 'load')
    }
    const before = await acknowledged()
    await eventually(acknowledged, now => now >= before + 1000)
    if (index + 1 === starts.length) {
      settledWell(await moves.succeed('settle', address))
      await stopped(broker)
    } else if (ending === 'stop') await stopped(broker)
    else await broker.kill()
  }
  await moves.close()
}

const inTurn = <T>(...each: T[]): T[] => Array.from({ length: runs(1).numRuns }, () => each).flat()

tests(
  'kill -9 of either at the hand-over takes nothing, with a fixed voter, two directories, an older level',
  async () => {
    const settings = (controllerPort: number) => ({
      'controller.quorum.voters': `1@localhost:${controllerPort}`,
      'controller.quorum.bootstrap.servers': '',
      // Kafka waits this long for the session of a broker that was killed.
      'broker.session.timeout.ms': 2000,
      'broker.heartbeat.interval.ms': 500,
    })
    const site = await kafkaSite(temporaryFolder('kafka-directory'), settings, 2)
    await formatKafka(site, ['--release-version', '4.0-IV0'])
    // Kafka knows one batch of each producer when it has recovered, so no more than one may be in doubt.
    await handOver(site, inTurn(startKafka, startOurs, startKafka, startOurs), 'kill', 1)
  },
)

tests('a directory that we made Kafka serves, and gives back', async () => {
  const site = await kafkaSite(temporaryFolder('kafka-directory'))
  await handOver(site, [...inTurn(startOurs, startKafka), startOurs], 'stop', 5)
})

tests.run()
