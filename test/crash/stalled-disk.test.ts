/**
 * A disk that stands still for some seconds, as a network disk or a controller that resets does: who waits for it
 * waits, nobody is told anything wrong, the other disks and what needs none go on, and afterwards all is as if nothing
 * had been.
 */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { describeLogDirs } from '../../src/protocol/apis/35-describe-log-dirs.ts'
import { fileSystems, LoopDisk } from '../support/crash/loop-disk.ts'
import { startServer } from '../support/crash/server.ts'
import { joinAlone, newGroup } from '../support/groups.ts'
import { createTopic, newProducer, produceBatch, readAll } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 180_000

const PARTITIONS = 8
const STALL_MS = 5000

const test = suite('stalled disk')

test.before(() => requires('mount'))

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

for (const kind of fileSystems) {
  test(`${kind}: a disk that stands still delays answers and changes none`, async () => {
    const disk = new LoopDisk(kind)
    const dirs = [join(temporaryFolder('moving'), 'data'), join(disk.mount, 'data')]
    const server = startServer({ dirs, flush: 'group' })
    const port = await server.listening
    const client = await WireClient.connect(port)
    await createTopic(client, 'spread', PARTITIONS)
    const described = await client.send(describeLogDirs, 4, { topics: null })
    const onDisk = described.results
      .find(({ logDir }) => logDir === dirs[1])
      ?.topics.find(({ name }) => name === 'spread')
    const stalled = onDisk?.partitions.map(({ partitionIndex }) => partitionIndex) ?? []
    const moving = Array.from({ length: PARTITIONS }, (_, index) => index).filter(index => !stalled.includes(index))
    assert.ok(stalled.length > 0 && moving.length > 0, `${stalled} ${moving}`)
    const [there, here] = [stalled[0] as number, moving[0] as number]
    const groupId = await newGroup(client)
    const member = await joinAlone(client, groupId, ['spread'])
    const producer = await newProducer(client)
    const written: string[] = []
    const write = (on: WireClient, partition: number, value: string, baseSequence: number) =>
      produceBatch(on, { topic: 'spread', partition, acks: -1 }, [value], { ...producer, baseSequence })
    for (let index = 0; index < 10; index++) {
      for (const partition of [there, here]) assert.is((await write(client, partition, `${index}`, index)).errorCode, 0)
      written.push(`${index}`)
    }

    disk.freeze(60_000)
    const waiting = await WireClient.connect(port)
    let answered = false
    const held = write(waiting, there, 'while it stood still', 10).finally(() => {
      answered = true
    })
    const beside = [...written]
    const until = Date.now() + STALL_MS
    let asked = 0
    while (Date.now() < until) {
      const value = `on the other disk ${asked}`
      assert.is((await write(client, here, value, 10 + asked)).errorCode, 0)
      beside.push(value)
      const cluster = await client.send(metadata, 12, { topics: null, allowAutoTopicCreation: false })
      assert.equal(
        cluster.topics.map(({ errorCode }) => errorCode),
        cluster.topics.map(() => 0),
      )
      assert.is((await readAll(client, 'spread', there)).length, 10)
      assert.is((await readAll(client, 'spread', here)).length, beside.length)
      assert.is((await client.send(heartbeat, 3, { groupId, ...member })).errorCode, 0)
      asked++
      await pause(50)
    }
    assert.ok(asked > 1)
    assert.not(answered, 'acknowledged by a disk that stood still')
    disk.thaw()

    assert.is((await held).errorCode, 0)
    const valuesOf = async (partition: number) => (await readAll(client, 'spread', partition)).map(({ value }) => value)
    assert.equal(await valuesOf(there), [...written, 'while it stood still'])
    assert.equal(await valuesOf(here), beside)
    const after = await client.send(describeLogDirs, 4, { topics: null })
    for (const { errorCode } of after.results) assert.is(errorCode, 0)
    for (const each of [client, waiting]) await each.close()
    assert.is((await server.running.kill('SIGTERM')).code, 0)
    await disk.remove()
  })
}

test.run()
