/**
 * The metadata on the real engine and a real disk: started, killed and stopped; read by Kafka's own tools; opened by an
 * Apache Kafka broker and taken back from it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import type { BrokerLifecycle } from '../../src/broker/lifecycle.ts'
import { previousBrokerEpoch, startLifecycle } from '../../src/broker/lifecycle.ts'
import { brokerConfigOf } from '../../src/config/broker-config.ts'
import type { MetadataNode } from '../../src/controller/start.ts'
import { startMetadata } from '../../src/controller/start.ts'
import { systemHost } from '../../src/host/system.ts'
import { openEngineDirectory } from '../../src/log/engine-directory.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { javaArguments, kafkaTool } from '../support/kafka.ts'
import { startProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { freePort, temporaryFolder } from '../support/temporary.ts'

const test = suite('metadata on the engine')
const SEGMENT = '__cluster_metadata-0/00000000000000000000'

interface Running {
  node: MetadataNode
  lifecycle: BrokerLifecycle
  createTopic(name: string, numPartitions?: number): Promise<void>
  /** A clean stop, or one that leaves out everything that a kill leaves out. */
  stop(clean: boolean): Promise<void>
}

async function start(path: string): Promise<Running> {
  const host = systemHost()
  // The runtime by itself does not keep the process alive.
  const alive = setInterval(() => {}, 1000)
  const runtime = NativeRuntime.open({ host })
  const directory = openEngineDirectory(runtime, path, 'posix')
  const node = await startMetadata({
    host,
    logger: silentLogger,
    directories: [directory],
    nodeId: 1,
    controllerListener: { name: 'CONTROLLER', host: 'localhost', port: 9093 },
    config: brokerConfigOf(new Map()),
  })
  const lifecycle = await startLifecycle({
    host,
    logger: silentLogger,
    controller: node.controller,
    loader: node.loader,
    nodeId: 1,
    clusterId: node.clusterId,
    listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9092, securityProtocol: 0 }],
    rack: null,
    logDirs: [...node.directoryIds.values()],
    previousBrokerEpoch: previousBrokerEpoch(node.image(), 1, [directory], 'group'),
    heartbeatIntervalMs: 2000,
    offlineLogDirs: () => [],
  })
  await lifecycle.unfence()
  return {
    node,
    lifecycle,
    async createTopic(name, numPartitions = 1) {
      const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }
      const request = { topics: [topic], timeoutMs: 1000, validateOnly: false }
      const answer = (await node.controller.handle(19, 7, request, { clientId: null })) as {
        topics: { errorCode: number }[]
      }
      assert.is(answer.topics[0]!.errorCode, 0)
    },
    async stop(clean) {
      if (clean) await lifecycle.controlledShutdown(5000)
      else lifecycle.close()
      await node.close()
      await directory.close({ clean, brokerEpoch: lifecycle.brokerEpoch })
      await runtime.close()
      clearInterval(alive)
    },
  }
}

const leaders = ({ node }: Running): (readonly [string, number[]])[] =>
  [...node.image().topicsByName.values()]
    .map(topic => [topic.name, topic.partitions.map(partition => partition.leader)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))

/** A directory that has seen a clean stop, one that was not, and a snapshot. */
async function lived(path: string): Promise<void> {
  let running = await start(path)
  await running.createTopic('a', 3)
  await running.createTopic('b')
  await running.stop(true)
  running = await start(path)
  assert.equal(leaders(running), [
    ['a', [1, 1, 1]],
    ['b', [1]],
  ])
  await running.createTopic('c')
  await running.node.snapshot()
  await running.stop(false)
  running = await start(path)
  assert.equal(leaders(running), [
    ['a', [1, 1, 1]],
    ['b', [1]],
    ['c', [1]],
  ])
  await running.stop(true)
}

test('topics are led again after a clean stop and after one that was not', async () => {
  await lived(join(temporaryFolder('metadata'), 'logs'))
})

test('DumpLogSegments reads the log, the index and the snapshot, and finds nothing wrong', async () => {
  requires('kafka')
  const path = join(temporaryFolder('metadata'), 'logs')
  await lived(path)
  const decoded = await kafkaTool('DumpLogSegments', [
    '--cluster-metadata-decoder',
    '--files',
    join(path, `${SEGMENT}.log`),
  ])
  assert.is(decoded.code, 0, decoded.stderr)
  assert.match(decoded.stdout, '"name":"a"')
  assert.not.match(decoded.stdout + decoded.stderr, /Exception|mismatch|Could not/i)
  const files = ['log', 'index', 'timeindex'].map(extension => join(path, `${SEGMENT}.${extension}`)).join(',')
  const checked = await kafkaTool('DumpLogSegments', ['--deep-iteration', '--index-sanity-check', '--files', files])
  assert.is(checked.code, 0, checked.stderr)
  assert.not.match(checked.stdout + checked.stderr, /mismatch|out of order|Exception/i)
})

test('an Apache Kafka broker goes on with our directory, and we go on with what it leaves', async () => {
  requires('kafka')
  const home = temporaryFolder('metadata')
  const path = join(home, 'logs')
  await lived(path)
  const [port, controllerPort] = [await freePort(), await freePort()]
  const properties = join(home, 'server.properties')
  writeFileSync(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.bootstrap.servers=localhost:${controllerPort}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://localhost:${controllerPort}`,
      'inter.broker.listener.name=PLAINTEXT',
      'controller.listener.names=CONTROLLER',
      'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      `log.dirs=${path}`,
    ].join('\n'),
  )
  const kafka = startProgram('java', javaArguments('kafka.Kafka', [properties]))
  try {
    const created = await kafkaTool('TopicCommand', [
      '--bootstrap-server',
      `127.0.0.1:${port}`,
      '--create',
      '--topic',
      'theirs',
    ])
    assert.is(created.code, 0, created.stderr + created.stdout)
    const described = await kafkaTool('TopicCommand', [
      '--bootstrap-server',
      `127.0.0.1:${port}`,
      '--describe',
      '--topic',
      'a',
    ])
    assert.is(described.stdout.match(/Leader: 1\s+Replicas: 1\s+Isr: 1/g)?.length, 3, described.stdout)
  } finally {
    await kafka.kill('SIGTERM')
  }
  assert.match(readFileSync(join(path, 'meta.properties'), 'utf8'), 'node.id=1')
  const running = await start(path)
  assert.equal(leaders(running), [
    ['a', [1, 1, 1]],
    ['b', [1]],
    ['c', [1]],
    ['theirs', [1]],
  ])
  await running.stop(true)
})

test.run()
