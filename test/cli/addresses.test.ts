/** The address that clients are told, as Metadata tells it: advertised, bound, or where the connection arrived. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { describeCluster } from '../../src/protocol/apis/60-describe-cluster.ts'
import { odradekCommand } from '../support/broker-process.ts'
import { startProgram } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { WireClient } from '../support/wire-client.ts'

const addresses = suite('addresses')

/**
 * Starts on `host`, if one is given; what a client that dials `dial` is told by two APIs, and
 * what the broker warned of.
 */
async function told(host: string | undefined, dial: string, ...args: string[]) {
  const [program, before] = odradekCommand()
  const flags = ['serve', '--memory', ...(host === undefined ? [] : ['--host', host]), '--port', '0', ...args]
  const running = startProgram(program, [...before, ...flags], { env: { ODRADEK_LOG_FORMAT: 'json' } })
  const [, port] = await running.sees(/listening on \S+:(\d+) /)
  const client = await WireClient.connect(Number(port), dial)
  const [broker] = (await client.send(metadata, 12, { topics: [], allowAutoTopicCreation: false })).brokers
  const [same] = (await client.send(describeCluster, 1, { includeClusterAuthorizedOperations: false })).brokers
  client.close()
  const { code, stderr } = await running.kill('SIGTERM')
  assert.is(code, 0)
  assert.equal([same?.host, same?.port], [broker?.host, broker?.port])
  return { host: broker?.host, port: broker?.port === Number(port) ? 'own' : broker?.port, warnings: stderr }
}

addresses('the bound address is told when one is bound', async () => {
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const { warnings, ...address } = await told(host, host)
    assert.equal(address, { host, port: 'own' })
    assert.not.match(warnings, /accepts anyone/)
  }
})

addresses('the address that was dialled is told when all are bound', async () => {
  for (const dial of ['127.0.0.1', '127.0.0.2']) {
    const { warnings, ...address } = await told('0.0.0.0', dial)
    assert.equal(address, { host: dial, port: 'own' })
    assert.match(warnings, /0\.0\.0\.0:\d+ accepts anyone/)
    assert.match(warnings, /set advertised\.listeners/)
  }
})

addresses('all are bound when listeners names no host, as in the file that Kafka ships', async () => {
  const listeners = ['-c', 'listeners=PLAINTEXT://:0,CONTROLLER://:9093']
  const { warnings, ...address } = await told(undefined, '127.0.0.2', ...listeners)
  assert.equal(address, { host: '127.0.0.2', port: 'own' })
  assert.match(warnings, /0\.0\.0\.0:\d+ accepts anyone/)
})

addresses('an IPv6 address is told without brackets when bound or dialled', async () => {
  requires('ipv6')
  for (const host of ['::1', '::']) {
    const { warnings: _, ...address } = await told(host, '::1')
    assert.equal(address, { host: '::1', port: 'own' })
  }
})

addresses('the advertised address is told when it is set', async () => {
  const advertised = ['-c', 'advertised.listeners=PLAINTEXT://kafka.example:1234']
  const { warnings: _, ...address } = await told('127.0.0.1', '127.0.0.1', ...advertised)
  assert.equal(address, { host: 'kafka.example', port: 1234 })
})

addresses.run()
